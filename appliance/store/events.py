"""The event log, bounded per machine."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

from appliance.events import PRIVATE, Event
from appliance.machine import MacAddress, MachineId
from appliance.store.documents import dump, load, rows

KEEP_PER_MACHINE = 5000
KEEP_IN_ALL = 200_000
SLICE = 5000
"""Events that are forgotten in one transaction, about: others wait for it."""

_FOR_ALL = f"kind NOT IN ({', '.join(repr(kind) for kind in sorted(PRIVATE))})"


def add(db: sqlite3.Connection, event: Event) -> Event:
    """Store an event and return it with its number."""
    cursor = db.execute(
        "INSERT INTO events(at, kind, machine, deployment, mac, doc) VALUES(?,?,?,?,?,?)", _columns(event)
    )
    return replace(event, id=int(cursor.lastrowid or 0))


def add_all(db: sqlite3.Connection, events: Sequence[Event]) -> list[Event]:
    """Store many events for the price of two calls, and return them with their numbers, in their order."""
    (row,) = rows(db, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'")
    numbered = [replace(event, id=row[0] + place) for place, event in enumerate(events, 1)]
    db.executemany(
        "INSERT INTO events(id, at, kind, machine, deployment, mac, doc) VALUES(?,?,?,?,?,?,?)",
        [(made.id, *_columns(given)) for made, given in zip(numbered, events, strict=True)],
    )
    return numbered


def _columns(event: Event) -> tuple[Any, ...]:
    """All but the number, which documents do not hold."""
    stranger = None if event.machine else event.detail.get("mac")
    return event.at, event.kind, event.machine, event.deployment, stranger, dump(event)


def query(
    db: sqlite3.Connection,
    *,
    kind: str | None = None,
    machine: str | None = None,
    deployment: int | None = None,
    before: int | None = None,
    limit: int = 200,
    private: bool = True,
) -> list[Event]:
    """Events newest first; ``before`` is the number of the last one already seen.

    Not ``private``: without those that are for administrators.
    """
    wheres, values = ["1" if private else _FOR_ALL], list[object]()
    for column, operator, value in (
        ("kind", "=", kind),
        ("machine", "=", machine),
        ("deployment", "=", deployment),
        ("id", "<", before),
    ):
        if value is not None:
            wheres.append(f"{column} {operator} ?")
            values.append(value)
    sql = f"SELECT id, doc FROM events WHERE {' AND '.join(wheres)} ORDER BY id DESC LIMIT ?"  # noqa: S608 - columns are ours
    return [replace(load(row[1], Event), id=row[0]) for row in rows(db, sql, *values, limit)]


def of_vm(db: sqlite3.Connection, vm: str, *, before: int | None = None, limit: int = 200) -> list[Event]:
    """Events of a VM newest first; ``before`` is the number of the last one already seen."""
    # Condition and expression are those of the index events_vm, word for word: SQLite uses it only then.
    sql = (
        "SELECT id, doc FROM events WHERE kind GLOB 'vm.*' AND json_extract(CAST(doc AS TEXT), '$.detail.vm') = ?"
        " AND id < ? ORDER BY id DESC LIMIT ?"
    )
    found = rows(db, sql, vm, before if before is not None else 1 << 62, limit)
    return [replace(load(row[1], Event), id=row[0]) for row in found]


def last_at(db: sqlite3.Connection) -> float | None:
    """Unix time of the event that was stored last; None where there is none."""
    (row,) = rows(db, "SELECT (SELECT at FROM events ORDER BY id DESC LIMIT 1)")
    return None if row[0] is None else float(row[0])


def between(
    db: sqlite3.Connection,
    machine: str | None,
    deployment: int | None,
    since: float,
    until: float | None,
    *,
    after: int = 0,
    limit: int = 1000,
) -> list[Event]:
    """Events of a machine or a deployment in a stretch of time, oldest first, behind number ``after``."""
    # One index for each of the two: joined by OR, SQLite would walk through all events.
    part = "SELECT id FROM events WHERE {} = ? AND id > ? AND at >= ? AND at <= ?"
    bounds = (after, since, until if until is not None else 1e12)
    sql = f"SELECT id, doc FROM events WHERE id IN ({part.format('machine')} UNION {part.format('deployment')})"  # noqa: S608 - ours
    found = rows(db, f"{sql} ORDER BY id LIMIT ?", machine, *bounds, deployment, *bounds, limit)
    return [replace(load(row[1], Event), id=row[0]) for row in found]


def silent_boots(db: sqlite3.Connection, machine: MachineId, most: int) -> list[float]:
    """When the machine booted since its agent or its system was last heard of, newest first, ``most`` at most."""
    # The kinds are those of the index events_boots, word for word: SQLite uses a partial index only then.
    sql = (
        "SELECT kind, at FROM events WHERE machine = ? AND kind IN ('script.served', 'agent.started',"
        " 'resident.active') ORDER BY id DESC LIMIT ?"
    )
    found = rows(db, sql, machine, most)
    return [at for _, at in takewhile(lambda row: row[0] == "script.served", found)]


def adopt(db: sqlite3.Connection, mac: MacAddress, machine: MachineId, since: float) -> None:
    """Give a new machine the events of its interface from before it was one."""
    sql = (
        "SELECT id, doc FROM events WHERE machine IS NULL AND mac = ? AND at >= ?"
        " AND kind IN ('dhcp.seen', 'dhcp.lease', 'tftp.sent', 'http.sent', 'program.refused', 'program.silent',"
        " 'machine.looping')"
    )
    for number, document in rows(db, sql, mac, since):
        adopted = dump(replace(load(document, Event), machine=machine))
        db.execute("UPDATE events SET machine = ?, doc = ? WHERE id = ?", (machine, adopted, number))


def prune(db: sqlite3.Connection) -> bool:
    """Forget the oldest beyond what is kept, SLICE of each kind at most; whether to call it once more."""
    sql = "SELECT id FROM events WHERE id <= (SELECT max(id) FROM events) - ? ORDER BY id LIMIT ?"
    gone = [_delete(db, sql, KEEP_IN_ALL, SLICE)]
    full = "SELECT machine FROM events WHERE machine IS NOT NULL GROUP BY machine HAVING count(*) > ?"
    for (machine,) in rows(db, full, KEEP_PER_MACHINE):
        sql = "SELECT id FROM events WHERE machine = ? ORDER BY id DESC LIMIT ? OFFSET ?"
        gone.append(_delete(db, sql, machine, SLICE, KEEP_PER_MACHINE))
        if sum(gone) > SLICE:
            break
    return max(gone) >= SLICE or sum(gone) > SLICE


def _delete(db: sqlite3.Connection, which: str, *values: object) -> int:
    """How many events went; ``which`` is a query for their numbers."""
    cursor = db.execute(f"DELETE FROM events WHERE id IN ({which})", values)  # noqa: S608 - ours
    return cursor.rowcount
