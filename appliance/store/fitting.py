"""Which machines would do for a deployment, decided by what is kept beside their documents: none of those is read."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from appliance.catalogue import Image
from appliance.delivery import in_memory, memory_needed, on_disk
from appliance.deployment import Requirements
from appliance.machine import MachineId
from appliance.store.documents import one, rows
from appliance.store.listing import Condition


@dataclass(frozen=True, slots=True)
class Hurdle:
    """One thing that a machine has to pass, in the order of ``deployment.machine_objection``."""

    sql: str
    """Of those that pass; never NULL."""
    values: tuple[Any, ...] = ()
    words: str = ""
    """What is said of those that do not, behind their number, such as ``in maintenance``; empty: their state."""


_ALWAYS = (
    Hurdle("m.state = 'idle'"),
    Hurdle("m.maintenance = 0", words="in maintenance"),
    Hurdle("m.id NOT IN (SELECT id FROM machines WHERE rescued = 1)", words="about to be rescued"),
    Hurdle("NOT EXISTS (SELECT 1 FROM deployments d WHERE d.machine = m.id)", words="reserved for another deployment"),
)


def hurdles(wanted: Requirements, image: Image | None, delivery: str, disk: str | None) -> list[Hurdle]:
    """What a machine has to pass; ``disk`` is the serial or WWN that the user chose.

    Without ``image`` every machine passes that could hold any.
    """
    tagged = "EXISTS (SELECT 1 FROM machine_tags t WHERE t.machine = m.id AND t.tag = ?)"
    found = [*_ALWAYS, *(Hurdle(tagged, (tag,), f"without the tag {tag}") for tag in wanted.tags)]
    if wanted.cpus is not None:
        found.append(Hurdle("m.cpus >= ?", (wanted.cpus,), f"with less than {wanted.cpus} CPUs"))
    if (memory := wanted.memory_bytes) is not None:
        found.append(Hurdle("m.memory >= ?", (memory,), f"with less than {memory >> 20} MiB of memory"))
    if wanted.firmware is not None:
        found.append(Hurdle("m.firmware = ?", (wanted.firmware,), f"with other firmware than {wanted.firmware}"))
    return [*found, *_root(image, delivery, wanted.disk_bytes or 0, disk)] if image else found


def _root(image: Image, delivery: str, least: int, named: str | None) -> list[Hurdle]:
    if on_disk(delivery):
        return [_disk(image, least, named)]
    if not in_memory(delivery):
        return []
    needed = memory_needed(image)
    words = f"with less than {needed >> 20} MiB of memory, which {image.name} needs to run from it"
    return [Hurdle("m.memory >= ?", (needed,), words)]


def _disk(image: Image, least: int, named: str | None) -> Hurdle:
    size = max(image.size, least)
    fits = "sector_size = ? AND bytes >= ?"
    if named is None:
        sql = f"EXISTS (SELECT 1 FROM machine_disks k WHERE k.machine = m.id AND k.empty AND {fits})"  # noqa: S608 - ours
        words = f"without an empty disk of {size} bytes in {image.sector_size}-byte sectors"
        return Hurdle(sql, (image.sector_size, size), words)
    # By the name first: one disk in the whole fleet has it.
    sql = f"m.id IN (SELECT machine FROM machine_disks WHERE name = ? AND {fits})"  # noqa: S608 - ours
    return Hurdle(sql, (named, image.sector_size, size), f"without a disk {named!r} that takes the image")


def preferred(
    db: sqlite3.Connection, passed: Sequence[Hurdle], recent: float, limit: int, offset: int
) -> list[MachineId]:
    """Machines that pass, in the order of ``deployment.choose_machine``: those seen since ``recent``, the smallest."""
    where, values = _where(passed)
    sql = f"SELECT m.id FROM machines m WHERE {where} ORDER BY m.last_seen < ?, m.memory, m.name LIMIT ? OFFSET ?"  # noqa: S608
    return [MachineId(row[0]) for row in rows(db, sql, *values, recent, limit, offset)]


def by_name(db: sqlite3.Connection, passed: Sequence[Hurdle], limit: int) -> list[MachineId]:
    """The first machines by name: those that pass before those that do not."""
    where, values = _where(passed)
    found: list[MachineId] = []
    for condition in (where, f"NOT ({where})"):
        sql = f"SELECT m.id FROM machines m WHERE {condition} ORDER BY m.name LIMIT ?"  # noqa: S608 - ours
        found += [MachineId(row[0]) for row in rows(db, sql, *values, limit - len(found))]
    return found


def counted(db: sqlite3.Connection, passed: Sequence[Hurdle]) -> int:
    """How many machines pass."""
    where, values = _where(passed)
    row = one(db, f"SELECT count(*) FROM machines m WHERE {where}", *values)  # noqa: S608 - ours
    return int(row[0]) if row else 0


def stopped_by(db: sqlite3.Connection, of: Sequence[Hurdle]) -> list[tuple[str, int]]:
    """In words what stops the machines that do not pass, and how many each: the first of their hurdles counts."""
    cases = [f"WHEN NOT ({each.sql}) THEN {number}" for number, each in enumerate(of)]
    which = f"SELECT CASE {' '.join(cases)} END AS hurdle, m.state AS state FROM machines m"  # noqa: S608 - ours
    sql = f"SELECT hurdle, iif(hurdle = 0, state, '') AS state, count(*) FROM ({which}) WHERE hurdle IS NOT NULL"  # noqa: S608
    found = rows(db, f"{sql} GROUP BY 1, 2 ORDER BY 1, 3 DESC", *(v for each in of for v in each.values))
    return [(of[number].words or str(state), int(count)) for number, state, count in found]


def _where(passed: Sequence[Hurdle]) -> Condition:
    return " AND ".join(each.sql for each in passed), tuple(value for each in passed for value in each.values)
