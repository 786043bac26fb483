"""Tasks, what jobs say, and what became of each item of a job; the oldest that have ended are forgotten."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import msgspec

from appliance.errors import NotFound
from appliance.machine import MachineId
from appliance.store.documents import dump, load, one, rows
from appliance.store.listing import Filter, Listing, Number, Sort, Test, any_of, equals, flag
from appliance.task import Status, Task, TaskId
from appliance.workflow import AttemptId, DeploymentId

KEEP_ENDED = 10_000
KEEP_ITEMS_OF = 200
"""Jobs that have ended of whose items is kept what became of each, the newest."""
KEEP_LINES = 2000
"""Lines of one job's log, the newest."""
LONGEST_LINE = 1000
Word = Annotated[str, msgspec.Meta(max_length=200)]
SLICE = 500
"""Tasks, or items, that are forgotten in one transaction: others wait for it."""

_OPEN = "ended IS NULL"
"""Word for word the condition of the partial indexes: SQLite uses them only then."""


def _named(column: str, table: str) -> Test:
    """The column is the id, or that of the row with this name; what was deleted is still found by its id."""
    sql = f"{column} IN (?, (SELECT id FROM {table} WHERE name = ?))"  # noqa: S608 - ours
    return lambda value, _: [(sql, (value, value))]


LISTING = Listing(
    table="tasks LEFT JOIN machines m ON m.id = tasks.machine LEFT JOIN deployments d ON d.id = tasks.deployment",
    columns="tasks.doc, m.name, d.name",
    id="tasks.id",
    sorts={
        "created": Sort("tasks.id", Number),
        "title": Sort("tasks.title"),
        "owner": Sort("tasks.owner"),
        "kind": Sort("tasks.kind"),
    },
    default="-created",
    filters={
        "open": Filter(bool, flag(f"tasks.{_OPEN}"), "whether it still goes on"),
        "status": Filter(list[Status], any_of("tasks.status"), "only with this status; several may be given"),
        "owner": Filter(Word, equals("tasks.owner"), "only of this user"),
        "kind": Filter(Word, equals("tasks.kind"), "only of this kind, such as deployment.start"),
        "machine": Filter(Word, _named("tasks.machine", "machines"), "only of this machine, by id or name"),
        "deployment": Filter(Word, _named("tasks.deployment", "deployments"), "only of this deployment, by id or name"),
    },
)
"""How tasks are listed: the task's document, and the names of its machine and deployment, NULL once deleted."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a job's log."""

    number: int
    at: float
    text: str


ItemStatus = Literal["waiting", "done", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one item of a job. ``code`` and ``text`` say why it is not done."""

    id: str
    name: str
    status: ItemStatus
    code: str = ""
    text: str = ""
    task: TaskId | None = None
    """The task that it has led to."""


def add(db: sqlite3.Connection, task: Task) -> Task:
    """Store a new task and return it with its number."""
    cursor = db.execute(
        "INSERT INTO tasks(created, title, owner, kind, status, job, doc) VALUES(?,?,?,?,?,?,?)",
        (task.created, task.title, task.owner, task.kind, task.status, task.job, b""),
    )
    stored = replace(task, id=TaskId(int(cursor.lastrowid or 0)))
    put(db, stored)
    return stored


def put(db: sqlite3.Connection, task: Task) -> None:
    """Store a changed task."""
    db.execute(
        "UPDATE tasks SET status=?, machine=?, deployment=?, attempt=?, ended=?, doc=? WHERE id=?",
        (task.status, task.machine, task.deployment, task.attempt, task.ended, dump(task), task.id),
    )


def find(db: sqlite3.Connection, task: TaskId) -> Task | None:
    """The task with this number."""
    row = one(db, "SELECT doc FROM tasks WHERE id = ?", task)
    return load(row[0], Task) if row else None


def get(db: sqlite3.Connection, key: TaskId | str) -> Task:
    """The task with this number; raises NotFound."""
    text = str(key)
    found = find(db, TaskId(int(text))) if text.isascii() and text.isdecimal() and len(text) < 16 else None
    if found is None:
        raise NotFound("task-unknown", f"there is no task {text[:40]!r}", "list them with: qrm tasks")
    return found


def row(db: sqlite3.Connection, task: TaskId) -> tuple[Any, ...]:
    """What LISTING gives of one task that is there."""
    sql = f"SELECT {LISTING.columns} FROM {LISTING.table} WHERE tasks.id = ?"  # noqa: S608 - ours
    found: tuple[Any, ...] = one(db, sql, task) or ()
    return found


def open_jobs(db: sqlite3.Connection) -> list[Task]:
    """The jobs that go on, the oldest first."""
    sql = f"SELECT doc FROM tasks WHERE {_OPEN} AND job ORDER BY id"  # noqa: S608 - ours
    return [load(row[0], Task) for row in rows(db, sql)]


def doubtful(db: sqlite3.Connection) -> list[Task]:
    """The tasks that go on without an attempt that does; the oldest first."""
    where = f"tasks.{_OPEN} AND NOT tasks.job AND coalesce(a.status, '') <> 'live'"
    joined = "tasks LEFT JOIN attempts a ON a.id = tasks.attempt"
    sql = f"SELECT tasks.doc FROM {joined} WHERE {where} ORDER BY tasks.id"  # noqa: S608 - ours
    return [load(row[0], Task) for row in rows(db, sql)]


def open_of_deployment(db: sqlite3.Connection, deployment: DeploymentId) -> list[Task]:
    """What goes on for a deployment."""
    sql = f"SELECT doc FROM tasks WHERE {_OPEN} AND deployment = ? ORDER BY id"  # noqa: S608 - ours
    return [load(row[0], Task) for row in rows(db, sql, deployment)]


def open_of_machine(db: sqlite3.Connection, machine: MachineId) -> list[Task]:
    """What goes on for a machine."""
    sql = f"SELECT doc FROM tasks WHERE {_OPEN} AND machine = ? ORDER BY id"  # noqa: S608 - ours
    return [load(row[0], Task) for row in rows(db, sql, machine)]


def open_of_attempt(db: sqlite3.Connection, attempt: AttemptId) -> list[Task]:
    """What follows an attempt and goes on."""
    sql = f"SELECT doc FROM tasks WHERE {_OPEN} AND attempt = ? ORDER BY id"  # noqa: S608 - ours
    return [load(row[0], Task) for row in rows(db, sql, attempt)]


def note(db: sqlite3.Connection, task: TaskId, at: float, text: str) -> None:
    """Add a line to a job's log, and forget the oldest beyond KEEP_LINES."""
    values = (task, at, text[:LONGEST_LINE])
    cursor = db.execute("INSERT INTO task_log(task, at, text) VALUES(?,?,?)", values)
    number = int(cursor.lastrowid or 0)
    if number % 100 == 0:
        keep = "SELECT number FROM task_log WHERE task = ? ORDER BY number DESC LIMIT 1 OFFSET ?"
        db.execute(
            f"DELETE FROM task_log WHERE task = ? AND number <= ({keep})",  # noqa: S608 - ours
            (task, task, KEEP_LINES),
        )


def lines(db: sqlite3.Connection, task: TaskId, after: int, limit: int) -> list[Line]:
    """Lines of a job's log after number ``after``, oldest first."""
    sql = "SELECT number, at, text FROM task_log WHERE task = ? AND number > ? ORDER BY number LIMIT ?"
    return [Line(*row) for row in rows(db, sql, task, after, limit)]


def add_items(db: sqlite3.Connection, task: TaskId, found: Sequence[Item]) -> None:
    """Store what a job has to do, in its order."""
    sql = "INSERT INTO task_items(task, position, status, doc) VALUES(?,?,?,?)"
    db.executemany(sql, [(task, number, item.status, dump(item)) for number, item in enumerate(found)])


def put_item(db: sqlite3.Connection, task: TaskId, position: int, item: Item) -> None:
    """Store what became of an item."""
    sql = "UPDATE task_items SET status = ?, doc = ? WHERE task = ? AND position = ?"
    db.execute(sql, (item.status, dump(item), task, position))


def items(db: sqlite3.Connection, task: TaskId) -> list[Item]:
    """All items in their order."""
    sql = "SELECT doc FROM task_items WHERE task = ? ORDER BY position"
    return [load(row[0], Item) for row in rows(db, sql, task)]


def next_item(db: sqlite3.Connection, task: TaskId, after: int) -> tuple[int, Item] | None:
    """The first item that waits, behind position ``after``."""
    sql = "SELECT position, doc FROM task_items WHERE task = ? AND position > ? AND status = 'waiting'"
    row = one(db, f"{sql} ORDER BY position LIMIT 1", task, after)
    return (int(row[0]), load(row[1], Item)) if row else None


def counts(db: sqlite3.Connection, task: TaskId) -> dict[str, int]:
    """How many items are waiting, done, failed, skipped; those that are none are left out."""
    sql = "SELECT status, count(*) FROM task_items WHERE task = ? GROUP BY status"
    found: list[tuple[str, int]] = rows(db, sql, task)
    return dict(found)


def prune(db: sqlite3.Connection) -> bool:
    """Forget the oldest that have ended beyond KEEP_ENDED, SLICE at most; whether to call it once more."""
    oldest: Any = one(db, "SELECT id FROM tasks WHERE ended IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET ?", KEEP_ENDED)
    if oldest is None:
        return False
    which = "SELECT id FROM tasks WHERE ended IS NOT NULL AND id <= ? ORDER BY id LIMIT ?"
    sql = f"DELETE FROM tasks WHERE id IN ({which})"  # noqa: S608 - ours
    cursor = db.execute(sql, (oldest[0], SLICE))
    return cursor.rowcount >= SLICE


def prune_items(db: sqlite3.Connection) -> bool:
    """Forget the items of jobs that ended before the last KEEP_ITEMS_OF, SLICE at most; whether to call it once more.

    The jobs themselves stay, with what they have come to.
    """
    listed = "SELECT id FROM tasks WHERE ended IS NOT NULL AND EXISTS (SELECT 1 FROM task_items WHERE task = tasks.id)"
    old = f"{listed} ORDER BY id DESC LIMIT -1 OFFSET :keep"
    sql = f"DELETE FROM task_items WHERE rowid IN (SELECT rowid FROM task_items WHERE task IN ({old}) LIMIT :slice)"  # noqa: S608 - ours
    cursor = db.execute(sql, {"keep": KEEP_ITEMS_OF, "slice": SLICE})
    return cursor.rowcount >= SLICE
