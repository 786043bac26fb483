"""What is shown of tasks: how far, what they are at, whether they can be cancelled, their log and their items."""

import sqlite3
from dataclasses import dataclass, field, replace
from typing import Any

from appliance.reconcile.views import MachineView, with_power
from appliance.store import attempts, events, listing, machines, tasks
from appliance.store.documents import load
from appliance.store.listing import Asked, Found
from appliance.store.store import Store
from appliance.store.tasks import Item
from appliance.task import Prospect, Task, message_of, progress_of, prospect
from appliance.workflow import Attempt, deadline

LOG_LINES = 1000
"""Lines of a task's log in one answer, at most."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a task's log; ``kind`` is that of the event, empty for what a job says."""

    number: int
    """Grows from line to line: ``after`` of the next page."""
    at: float
    kind: str
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task with what belongs to it."""

    task: Task
    machine: str | None
    """The name of its machine; None where that was deleted, or is none."""
    deployment: str | None
    attempt: Attempt | None
    """What it follows, while it goes on."""
    advice: str = ""
    """What somebody has to do by hand for it to go on."""
    counts: dict[str, int] = field(default_factory=dict)
    """Of a job's items: how many are waiting, done, failed, skipped."""
    items: tuple[Item, ...] = ()
    """Of one task that was asked for; empty in lists."""

    @property
    def progress(self) -> float:
        """0 to 1."""
        total = sum(self.counts.values())
        if total and self.task.open:
            return 1 - self.counts.get("waiting", 0) / total
        return progress_of(self.task, self.attempt)

    @property
    def message(self) -> str:
        """What it is at, in words."""
        return message_of(self.task, self.attempt)

    @property
    def prospect(self) -> Prospect:
        """Whether it can be cancelled, and what that would mean."""
        return prospect(self.task, self.attempt)

    @property
    def deadline(self) -> float | None:
        """Unix time at which its attempt gives up without a sign of the machine; None without one."""
        return deadline(self.attempt) if self.attempt else None

    @property
    def result(self) -> dict[str, Any]:
        """What it has brought so far."""
        return {**self.task.result, "items": list(self.items)} if self.items else self.task.result


def _view(db: sqlite3.Connection, row: Any, now: float) -> TaskView:
    task = load(row[0], Task)
    attempt = attempts.find(db, task.attempt) if task.attempt and task.open else None
    counts = tasks.counts(db, task.id) if task.job else {}
    return TaskView(task, row[1], row[2], attempt, _advice(db, attempt, now), counts)


def _advice(db: sqlite3.Connection, attempt: Attempt | None, now: float) -> str:
    machine = machines.find(db, attempt.machine) if attempt else None
    if attempt is None or machine is None:
        return ""
    return with_power(db, MachineView(machine, attempt, None)).advice(now)


async def task_views(store: Store, asked: Asked) -> tuple[Found, list[TaskView]]:
    """The page of tasks that is asked for."""

    def job(db: sqlite3.Connection) -> tuple[Found, list[TaskView]]:
        found = listing.page(db, tasks.LISTING, asked)
        return found, [_view(db, row, asked.now) for row in found.rows]

    return await store.read(job)


async def task_view(store: Store, key: str, now: float) -> TaskView:
    """The task with this number, with its items; raises NotFound."""

    def job(db: sqlite3.Connection) -> TaskView:
        task = tasks.get(db, key)
        view = _view(db, tasks.row(db, task.id), now)
        return replace(view, items=tuple(tasks.items(db, task.id)))

    return await store.read(job)


async def task_log(store: Store, key: str, after: int = 0, limit: int = LOG_LINES) -> list[LogLine]:
    """The lines behind number ``after``, oldest first: of a job what it said, else what happened meanwhile.

    Raises NotFound.
    """

    def job(db: sqlite3.Connection) -> list[LogLine]:
        task = tasks.get(db, key)
        if task.job:
            said = tasks.lines(db, task.id, after, limit)
            return [LogLine(line.number, line.at, "", line.text, "") for line in said]
        found = events.between(db, task.machine, task.deployment, task.created, task.ended, after=after, limit=limit)
        return [LogLine(event.id, event.at, event.kind, event.text, event.reason) for event in found]

    return await store.read(job)
