"""How machines are listed, without their inventories: what lists show of those is kept beside each machine."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import msgspec

from appliance.machine import Machine, State
from appliance.power_switch import PowerState
from appliance.store.documents import load, rows
from appliance.store.listing import (
    Asked,
    Condition,
    Filter,
    Found,
    Listing,
    Number,
    Sort,
    Text,
    any_of,
    each_of,
    flag,
    page,
    selection,
    words,
)
from appliance.store.roots import WAITING

OFFLINE_AFTER = 150.0
"""Seconds without a sign; an idle machine polls at least every 50."""

Word = Annotated[str, msgspec.Meta(max_length=200)]


def _offline(value: bool, now: float) -> Sequence[Condition]:
    return [(f"m.last_seen {'<' if value else '>='} ?", (now - OFFLINE_AFTER,))]


def _powered(values: Sequence[PowerState], _: float) -> Sequence[Condition]:
    """By what switches said last, found by an index."""
    marks = ",".join("?" * len(values))
    return [(f"m.id IN (SELECT machine FROM power_switches WHERE state IN ({marks}))", tuple(values))]  # noqa: S608


def _asking(value: bool, now: float) -> Sequence[Condition]:
    """Those that wait and are heard of: who was switched off meanwhile asks no more."""
    waits = f"m.id IN (SELECT machine FROM boot_tokens WHERE {WAITING})"  # noqa: S608 - ours
    asks = f"({waits} AND coalesce(m.last_seen, 0) >= ?)"
    return [(asks if value else f"NOT {asks}", (now - OFFLINE_AFTER,))]


def _on(value: str, _: float) -> Sequence[Condition]:
    """By id or name; what is named so wins, as everywhere."""
    return [("(d.name = ? OR d.id = ?)", (value, value))]


LISTING = Listing(
    table="machines m LEFT JOIN deployments d ON d.machine = m.id",
    columns="m.doc, m.digest",
    id="m.id",
    sorts={
        "name": Sort("m.name"),
        "state": Sort("m.state"),
        "deployment": Sort("coalesce(d.name, '')"),
        "address": Sort("m.address", Number),
        "cpus": Sort("m.cpus", Number),
        "memory": Sort("m.memory", Number),
        "seen": Sort("m.last_seen", float),
        "created": Sort("m.created", float),
    },
    default="name",
    filters={
        "q": Filter(
            Word,
            words("(m.search || ' ' || m.hardware || ' ' || coalesce(d.name, ''))"),
            "words that are all in its name, MAC addresses, address, serial, UUID, notes, tags, model, disks' serials"
            " or deployment",
        ),
        "state": Filter(list[State], any_of("m.state"), "only in this state; several may be given"),
        "tag": Filter(
            list[Word],
            each_of("EXISTS (SELECT 1 FROM machine_tags t WHERE t.machine = m.id AND t.tag = ?)"),
            "only with this tag; with all of them, where several are given",
        ),
        "maintenance": Filter(bool, flag("m.maintenance"), "whether it is in maintenance"),
        "offline": Filter(bool, _offline, "whether it was silent for longer than it should be"),
        "firmware": Filter(
            list[Literal["bios", "uefi"]], any_of("m.firmware"), "only with this firmware; several may be given"
        ),
        "power": Filter(
            list[PowerState],
            _powered,
            "only those whose power switch says so; several may be given",
        ),
        "deployment": Filter(Word, _on, "only what this deployment is on, by id or name"),
        "assigned": Filter(bool, flag("d.id IS NOT NULL"), "whether a deployment is on it"),
        "asking": Filter(bool, _asking, "whether it waits to be let in to its root on the network"),
    },
    id_kind=Text,
)
"""Gives the machine's document and the digest of its inventory, NULL where there is none."""


def listed(row: Sequence[Any]) -> Machine:
    """The machine of one row of LISTING; its ``inventory`` is the digest."""
    machine = load(row[0], Machine)
    return replace(machine, inventory=load(row[1], dict[str, Any])) if row[1] else machine


def found(db: sqlite3.Connection, asked: Asked) -> tuple[Found, list[Machine]]:
    """The page that is asked for, and its machines."""
    shown = page(db, LISTING, asked)
    return shown, [listed(row) for row in shown.rows]


def groups(db: sqlite3.Connection, asked: Asked, by: Literal["state", "tag"]) -> dict[str, int]:
    """How many of the machines that match are in each state, or have each tag."""
    where, values = selection(LISTING, asked)
    sql = f"SELECT m.state, count(*) {where} GROUP BY m.state"
    if by == "tag":
        chosen = f"SELECT m.id {where}"
        sql = f"SELECT tag, count(*) FROM machine_tags WHERE machine IN ({chosen}) GROUP BY tag"  # noqa: S608 - ours
    return dict(rows(db, sql, *values))


def digest(inventory: dict[str, Any]) -> dict[str, Any]:
    """What lists show of an inventory, in the same places."""
    system, disks = _part(inventory, "system"), inventory.get("disks")
    return {
        "cpu": {"threads": _whole(_part(inventory, "cpu").get("threads"))},
        "memory": {"bytes": _whole(_part(inventory, "memory").get("bytes"))},
        "disks": [{"bytes": _whole(each.get("bytes"))} for each in _disks(disks)],
        "system": {"manufacturer": system.get("manufacturer"), "product": system.get("product")},
    }


def disk_rows(inventory: dict[str, Any]) -> list[tuple[str, int, int, bool]]:
    """Name, bytes, sector size and emptiness of each disk that an image could go onto; by serial and by WWN."""
    found = []
    for disk in _disks(inventory.get("disks")):
        empty = _part(disk, "content").get("empty") is True
        size, sector = _whole(disk.get("bytes")) or 0, _whole(disk.get("sector_size")) or 512
        named = {str(name) for name in (disk.get("serial"), disk.get("wwn")) if name}
        found += [(name, size, sector, empty) for name in sorted(named) if not disk.get("read_only")]
    return found


def search_text(machine: Machine) -> str:
    """What a machine is found by, but for its hardware; lower case."""
    known = (machine.name, machine.address, machine.serial, machine.uuid, machine.firmware, machine.notes)
    return " ".join(str(part) for part in (*known, *machine.macs, *machine.tags) if part).lower()


def hardware_text(inventory: dict[str, Any]) -> str:
    """What a machine is found by of its hardware; lower case."""
    system = _part(inventory, "system")
    parts = [system.get("manufacturer"), system.get("product")]
    parts += [disk.get("serial") for disk in _disks(inventory.get("disks"))]
    return " ".join(str(part)[:200] for part in parts if part).lower()


def _part(inventory: dict[str, Any], name: str) -> dict[str, Any]:
    part = inventory.get(name)
    return part if isinstance(part, dict) else {}


def _disks(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None
