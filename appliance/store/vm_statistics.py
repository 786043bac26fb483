"""What VMs used: fine points of the last day, ten to a row, and coarse ones of the last week, one to a row.

Rows of one time lie beside each other, so that a round of all VMs goes to a few pages of the disk, and goes from there
again, as one piece. What the bytes mean is said in ``vm_points``.
"""

import sqlite3
from collections.abc import Iterable, Sequence

from appliance.store.documents import dump, rows
from appliance.vm import VmId
from appliance.vm_points import COARSE, FINE, overlaid

Database = sqlite3.Connection
Row = tuple[int, VmId, bytes]
"""Unix time at which it begins, whose it is, its points."""
_PUT = (
    "INSERT INTO vm_statistics(step, start, vm, points) VALUES(?,?,?,?)"
    " ON CONFLICT(step, start, vm) DO UPDATE SET points = excluded.points"
)


def put(db: sqlite3.Connection, given: Iterable[Row]) -> None:
    """Fine rows; what is known of their times already stays where they have gaps."""
    for start, vm, points in given:
        sql = "SELECT points FROM vm_statistics WHERE step = ? AND start = ? AND vm = ?"
        before = rows(db, sql, FINE, start, vm)
        db.execute(_PUT, (FINE, start, vm, overlaid(before[0][0], points) if before else points))


def read(db: sqlite3.Connection, vm: VmId, step: int, since: float, until: float) -> list[tuple[int, bytes]]:
    """The rows of a VM that begin within these Unix times, the oldest first. ``step`` is FINE or COARSE."""
    first = -int(-since // COARSE) * COARSE
    starts = dump(list(range(first, int(until) + 1, COARSE))).decode()
    sql = (
        "SELECT start, points FROM vm_statistics WHERE step = ? AND vm = ?"
        " AND start IN (SELECT value FROM json_each(?)) ORDER BY start"
    )
    return [(start, bytes(points)) for start, points in rows(db, sql, step, vm, starts)]


def old(db: sqlite3.Connection, before: float, most: int) -> list[Row]:
    """Fine rows that begin before that time, the oldest first."""
    sql = "SELECT start, vm, points FROM vm_statistics WHERE step = ? AND start < ? ORDER BY start, vm LIMIT ?"
    return [(start, VmId(vm), bytes(points)) for start, vm, points in rows(db, sql, FINE, int(before), most)]


def fold(db: sqlite3.Connection, folded: Sequence[Row]) -> int:
    """Coarse rows take the place of the fine ones of the same times; how many."""
    db.executemany(_PUT, [(COARSE, *each) for each in folded])
    sql = "DELETE FROM vm_statistics WHERE step = ? AND start = ? AND vm = ?"
    db.executemany(sql, [(FINE, start, vm) for start, vm, _ in folded])
    return len(folded)


def drop(db: sqlite3.Connection, before: float) -> None:
    """What began before that time is not kept any longer."""
    for step in (FINE, COARSE):
        db.execute("DELETE FROM vm_statistics WHERE step = ? AND start < ?", (step, int(before)))


def drop_after(db: sqlite3.Connection, time: float) -> None:
    """What begins later was written by a clock that was wrong."""
    for step in (FINE, COARSE):
        db.execute("DELETE FROM vm_statistics WHERE step = ? AND start > ?", (step, int(time)))


def vms(db: sqlite3.Connection) -> set[VmId]:
    """All of which something is kept; looks through everything."""
    return {VmId(each[0]) for each in rows(db, "SELECT DISTINCT vm FROM vm_statistics")}


def forget(db: sqlite3.Connection, gone: Iterable[VmId]) -> None:
    """These are no more; looks through everything."""
    sql = "DELETE FROM vm_statistics WHERE vm IN (SELECT value FROM json_each(?))"
    db.execute(sql, (dump(sorted(gone)).decode(),))
