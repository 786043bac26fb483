"""Attempts; the database itself keeps a machine from having two live ones."""

import sqlite3
from collections.abc import Sequence

from appliance.machine import MachineId
from appliance.store.documents import dump, load, one, rows
from appliance.workflow import Attempt, AttemptId, DeploymentId

KEEP = 50
"""Attempts of each machine, and of each deployment, that are kept: the latest."""
SLICE = 500
"""Attempts that are forgotten in one transaction: others wait for it."""


def live(db: sqlite3.Connection) -> list[Attempt]:
    """Every live attempt."""
    return [load(row[0], Attempt) for row in rows(db, "SELECT doc FROM attempts WHERE status = 'live'")]


def latest_live(db: sqlite3.Connection, most: int) -> list[Attempt]:
    """The live attempts that began last, the latest first."""
    sql = "SELECT doc FROM attempts WHERE status = 'live' ORDER BY started DESC LIMIT ?"
    return [load(row[0], Attempt) for row in rows(db, sql, most)]


def live_of(db: sqlite3.Connection, machine: MachineId) -> Attempt | None:
    """The live attempt of a machine."""
    row = one(db, "SELECT doc FROM attempts WHERE status = 'live' AND machine = ?", machine)
    return load(row[0], Attempt) if row else None


def last_of(db: sqlite3.Connection, machine: MachineId) -> Attempt | None:
    """The latest attempt of a machine, live or ended."""
    row = one(db, "SELECT doc FROM attempts WHERE machine = ? ORDER BY started DESC, rowid DESC LIMIT 1", machine)
    return load(row[0], Attempt) if row else None


def last_of_each(db: sqlite3.Connection, of: Sequence[MachineId]) -> list[Attempt]:
    """The latest attempt of each of these machines that has one, in one query."""
    last = "SELECT rowid FROM attempts WHERE machine = m.value ORDER BY started DESC, rowid DESC LIMIT 1"
    sql = f"SELECT a.doc FROM json_each(?) m CROSS JOIN attempts a ON a.rowid = ({last})"  # noqa: S608 - ours
    return [load(row[0], Attempt) for row in rows(db, sql, dump(of).decode())]


def latest_of(db: sqlite3.Connection, deployment: DeploymentId, limit: int = 50) -> list[AttemptId]:
    """The latest attempts of a deployment by id, newest first."""
    sql = "SELECT id FROM attempts WHERE deployment = ? ORDER BY rowid DESC LIMIT ?"
    return [AttemptId(row[0]) for row in rows(db, sql, deployment, limit)]


def find(db: sqlite3.Connection, attempt: str) -> Attempt | None:
    """The attempt with this id."""
    row = one(db, "SELECT doc FROM attempts WHERE id = ?", attempt)
    return load(row[0], Attempt) if row else None


def put(db: sqlite3.Connection, attempt: Attempt) -> None:
    """Store a new or changed attempt."""
    db.execute(
        "INSERT INTO attempts(id, machine, deployment, status, started, doc) VALUES(?,?,?,?,?,?)"
        " ON CONFLICT(id) DO UPDATE SET status=excluded.status, doc=excluded.doc",
        (attempt.id, attempt.machine, attempt.deployment, attempt.status, attempt.started, dump(attempt)),
    )


def crowded(db: sqlite3.Connection) -> list[MachineId]:
    """The machines with more than KEEP attempts. It looks at every attempt: for a read, not for a transaction."""
    sql = "SELECT machine FROM attempts GROUP BY machine HAVING count(*) > ?"
    return [MachineId(row[0]) for row in rows(db, sql, KEEP)]


def prune(db: sqlite3.Connection, machine: MachineId) -> bool:
    """Forget the oldest attempts of a machine beyond KEEP, SLICE at most; whether to call it once more.

    Those stay that go on, that an open task follows, and the last KEEP of their deployment.
    """
    ours = "SELECT rowid FROM attempts WHERE machine = :machine"
    beyond = f"{ours} ORDER BY started DESC, rowid DESC LIMIT -1 OFFSET :keep"
    last = "SELECT rowid FROM attempts WHERE deployment = a.deployment ORDER BY rowid DESC LIMIT 1 OFFSET :keep - 1"
    which = f"""
        SELECT a.rowid FROM attempts a WHERE a.rowid IN ({beyond}) AND a.status <> 'live'
        AND (a.deployment IS NULL OR a.rowid < ({last}) OR a.deployment NOT IN (SELECT id FROM deployments))
        AND NOT EXISTS (SELECT 1 FROM tasks WHERE attempt = a.id AND ended IS NULL) LIMIT :slice
    """  # noqa: S608 - ours
    sql = f"DELETE FROM attempts WHERE rowid IN ({which})"  # noqa: S608 - ours
    cursor = db.execute(sql, {"machine": machine, "keep": KEEP, "slice": SLICE})
    return cursor.rowcount >= SLICE
