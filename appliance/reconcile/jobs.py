"""Work that the daemon does itself, as tasks: a few at once, gone on with after a restart, cancelled on the way.

A kind of job is a coroutine and whether it may be begun again. It is given a ``Running``: through that it tells how
far it is and what it did, and hears that it was cancelled.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from appliance.accounts import Asker
from appliance.errors import ApplianceError
from appliance.events import Bus, Event, Published
from appliance.machine import MachineId
from appliance.reconcile.record import Tell, record
from appliance.reconcile.surviving import Surviving
from appliance.reconcile.tasks import changed, opened, task_event
from appliance.store import tasks
from appliance.store.store import Store
from appliance.store.tasks import Item
from appliance.task import CANCELLED, Status, Task, TaskId, begun, ended
from appliance.workflow import DeploymentId

log = logging.getLogger(__name__)

MOST = 2
"""Jobs at work at the same time."""
LOOK_EVERY = 30.0
"""Seconds between two looks at what is due at most: a lost event costs time only."""
TELL_EVERY = 1.0
"""Seconds between two tellings of how far a job is."""


class JobCancelled(Exception):
    """Somebody cancelled the job: ends it where it is, is no error."""


class JobFailed(ApplianceError):
    """The job is over and did not do all that it was to do; what it did is in ``result``."""

    def __init__(self, code: str, message: str, result: dict[str, Any]) -> None:
        super().__init__(code, message)
        self.result = result


class Running:
    """One job at work."""

    def __init__(self, task: Task, store: Store, bus: Bus, clock: Callable[[], float]) -> None:
        self.task = task
        self.store, self._bus, self._clock = store, bus, clock
        self._told = 0.0

    async def say(self, text: str) -> None:
        """Add a line to its log."""
        now = self._clock()
        await self.store.write(lambda db: tasks.note(db, self.task.id, now, text))

    async def check(self) -> None:
        """Raise JobCancelled where somebody has cancelled it."""
        found = await self.store.read(lambda db: tasks.find(db, self.task.id))
        if found is None or found.cancelled_by:
            raise JobCancelled

    async def progress(self, fraction: float, message: str) -> None:
        """Tell how far it is, 0 to 1, and what it is at; called as often as there is something to tell.

        Raises JobCancelled where somebody has cancelled it.
        """
        now = self._clock()
        if 0 <= now - self._told < TELL_EVERY:
            return
        self._told = now
        await self.check()

        def job(db: sqlite3.Connection) -> Task:
            present = tasks.get(db, self.task.id)
            after = replace(present, progress=min(max(fraction, 0.0), 1.0), message=message[:500])
            tasks.put(db, after)
            return after

        self.task = await self.store.write(job)
        self._bus.publish(task_event(self.task, now))


@dataclass(frozen=True, slots=True)
class JobKind:
    """How jobs of one kind are done."""

    run: Callable[[Running], Awaitable[dict[str, Any]]]
    """Gives the result; raises ApplianceError where it fails."""
    resumes: bool
    """Whether it may be begun again after the daemon ended in the middle of it."""
    waits: bool = False
    """Whether it waits for something else most of the time: then it takes no room from others."""


def open_job(
    db: sqlite3.Connection,
    tell: Tell,
    kind: str,
    title: str,
    by: Asker,
    now: float,
    arguments: dict[str, Any],
    items: tuple[Item, ...] = (),
    machine: MachineId | None = None,
    deployment: DeploymentId | None = None,
) -> Task:
    """Store a job to be done, with its items if it has some. ``Jobs`` begins it as soon as there is room.

    ``machine`` and ``deployment`` are what it is about, where that is one.
    """
    new = Task(TaskId(0), kind, title, by.name, now, machine=machine, deployment=deployment)
    new = replace(new, job=True, arguments=arguments)
    task = opened(db, tell, new)
    tasks.add_items(db, task.id, items)
    return task


class Jobs:
    """Does the jobs that are open."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], kinds: Mapping[str, JobKind]) -> None:
        self._store, self._bus, self._clock, self._kinds = store, bus, clock, kinds
        self._at_work: set[TaskId] = set()
        self._with_room: set[TaskId] = set()

    async def run(self) -> None:
        """Run until cancelled; a job that is at work then is found again at the next start."""
        with self._bus.subscribe(64) as subscription:
            async with asyncio.TaskGroup() as group:
                while True:
                    with Surviving(log, "jobs wait"):
                        await self._start_due(group)
                    await subscription.woken(_makes_due, LOOK_EVERY)

    async def _start_due(self, group: asyncio.TaskGroup) -> None:
        for task in await self._store.read(tasks.open_jobs):
            if task.id in self._at_work:
                continue
            if over := self._over(task):
                await self._end(task.id, *over)
            elif self._kinds[task.kind].waits or len(self._with_room) < MOST:
                self._at_work.add(task.id)
                if not self._kinds[task.kind].waits:
                    self._with_room.add(task.id)
                group.create_task(self._do(task), name=f"job {task.id}")

    def _over(self, task: Task) -> tuple[Status, str, str] | None:
        """How a job that is not at work ends at once; None for one that is to be done."""
        if task.cancelled_by:
            return Status.CANCELLED, CANCELLED, f"{task.cancelled_by} cancelled it"
        kind = self._kinds.get(task.kind)
        if kind is None:
            return Status.FAILED, "job-unknown", f"this version does no {task.kind}"
        if task.status is Status.RUNNING and not kind.resumes:
            return Status.FAILED, "restarted", "the appliance was restarted in the middle of it"
        return None

    async def _do(self, task: Task) -> None:
        with Surviving(log, f"task {task.id} stays open"):
            try:
                await self._end(task.id, *await self._outcome(task))
            finally:
                self._at_work.discard(task.id)
                self._with_room.discard(task.id)

    async def _outcome(self, task: Task) -> tuple[Status, str, str, dict[str, Any]]:
        """Do the job; how it ended: status, code, reason, result."""
        try:
            running = Running(await self._begun(task), self._store, self._bus, self._clock)
            return Status.DONE, "", "", await self._kinds[task.kind].run(running)
        except JobCancelled:
            return Status.CANCELLED, CANCELLED, "", {}
        except JobFailed as error:
            return Status.FAILED, error.code, error.message, error.result
        except ApplianceError as error:
            return Status.FAILED, error.code, error.message, {}
        except Exception as error:  # a defect of ours in one job must not end the service of all others
            log.error("task %s", task.id, exc_info=error)
            return Status.FAILED, "job-defect", f"a defect of the appliance: {error}"[:500], {}

    async def _begun(self, task: Task) -> Task:
        def job(db: sqlite3.Connection) -> Task:
            present = tasks.get(db, task.id)
            text = "begins" if present.status is Status.WAITING else "goes on after a restart of the appliance"
            tasks.note(db, task.id, self._clock(), text)
            tasks.put(db, begun(present))
            return begun(present)

        after = await self._store.write(job)
        self._bus.publish(task_event(after, self._clock()))
        return after

    async def _end(
        self, task: TaskId, status: Status, code: str, reason: str, result: dict[str, Any] | None = None
    ) -> None:
        def job(db: sqlite3.Connection, tell: Tell) -> None:
            now, present = self._clock(), tasks.get(db, task)
            why = reason or (f"{present.cancelled_by} cancelled it" if code == CANCELLED else "")
            tasks.note(db, task, now, ": ".join(words for words in (str(status), why) if words))
            changed(db, tell, present, ended(present, status, now, code, why, result), now)

        await record(self._store, self._bus, job)


def _makes_due(item: Published) -> bool:
    return isinstance(item, Event) and item.kind == "task.changed"
