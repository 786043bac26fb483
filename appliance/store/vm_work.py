"""Work on VMs that is under way, and which VMs were started after the computer was."""

import sqlite3
from dataclasses import replace

from appliance.errors import Conflict
from appliance.store.documents import dump, load, one, rows
from appliance.task import TaskId
from appliance.vm import VmId
from appliance.vm_work import HostId, VmWork


def add(db: sqlite3.Connection, work: VmWork) -> VmWork:
    """Store work that is to be done; the same with its number. Raises Conflict ``vm-busy``."""
    check_free(db, work.vm)
    cursor = db.execute("INSERT INTO vm_work(vm, host, task, doc) VALUES(?,?,?,?)", (work.vm, work.host, None, b""))
    stored = replace(work, id=int(cursor.lastrowid or 0))
    put(db, stored)
    return stored


def check_free(db: sqlite3.Connection, vm: VmId) -> None:
    """Raises Conflict ``vm-busy`` where something is under way with it."""
    if (other := of_vm(db, vm)) is not None:
        text = f"task {other.task} ({other.deed}) is under way with {other.name}"
        raise Conflict("vm-busy", text, "wait until that has ended, or cancel it")


def put(db: sqlite3.Connection, work: VmWork) -> None:
    """Store work that changed; what has ended stays ended."""
    db.execute("UPDATE vm_work SET task = ?, doc = ? WHERE id = ?", (work.task, dump(work), work.id))


def find(db: sqlite3.Connection, number: int) -> VmWork | None:
    """The one with this number; None once it has ended."""
    row = one(db, "SELECT doc FROM vm_work WHERE id = ?", number)
    return load(row[0], VmWork) if row else None


def of_vm(db: sqlite3.Connection, vm: VmId) -> VmWork | None:
    """What is under way with a VM."""
    row = one(db, "SELECT doc FROM vm_work WHERE vm = ?", vm)
    return load(row[0], VmWork) if row else None


def of_task(db: sqlite3.Connection, task: TaskId) -> VmWork | None:
    """What a task has to do; None once it was done."""
    row = one(db, "SELECT doc FROM vm_work WHERE task = ?", task)
    return load(row[0], VmWork) if row else None


def every(db: sqlite3.Connection, host: HostId | None = None) -> list[VmWork]:
    """All that is under way, or what is on one host; the oldest first."""
    sql = "SELECT doc FROM vm_work WHERE host = ? OR ? IS NULL ORDER BY id"
    return [load(row[0], VmWork) for row in rows(db, sql, host, host)]


def strays(db: sqlite3.Connection) -> list[VmWork]:
    """Work of tasks that have ended."""
    sql = "SELECT w.doc FROM vm_work w LEFT JOIN tasks t ON t.id = w.task"
    return [load(row[0], VmWork) for row in rows(db, f"{sql} WHERE t.id IS NULL OR t.ended IS NOT NULL ORDER BY w.id")]


def drop(db: sqlite3.Connection, number: int) -> None:
    """It has ended."""
    db.execute("DELETE FROM vm_work WHERE id = ?", (number,))


# -- what was started after the computer was


def started(db: sqlite3.Connection, boot: str) -> dict[VmId, float]:
    """The VMs that were started, or tried, since this start of the computer, with the Unix times."""
    return {VmId(row[0]): row[1] for row in rows(db, "SELECT vm, at FROM vm_starts WHERE boot = ?", boot)}


def pass_by(db: sqlite3.Connection, at: float) -> None:
    """Nothing is started before the next start of the computer: this one was long ago."""
    db.execute("DELETE FROM vm_starts")
    db.execute("INSERT INTO vm_starts(vm, boot, at) VALUES('', '', ?)", (at,))


def is_passed_by(db: sqlite3.Connection) -> bool:
    """Whether that was said, and no start of the computer noted since."""
    return one(db, "SELECT 1 FROM vm_starts WHERE boot = ''") is not None


def put_started(db: sqlite3.Connection, boot: str, vm: VmId, at: float) -> None:
    """One of them; what was noted of earlier starts of the computer is forgotten."""
    db.execute("DELETE FROM vm_starts WHERE boot <> ?", (boot,))
    db.execute("INSERT OR REPLACE INTO vm_starts(vm, boot, at) VALUES(?,?,?)", (vm, boot, at))
