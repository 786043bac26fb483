"""Does the steps of attempts that are the appliance's, and keeps exports as they are wanted; until the daemon ends.

Level-triggered: each look starts from what is stored and what the kernel has, whatever woke it. What is wanted is
stored before it is done, and forgotten after it is undone; so what a killed daemon was at is done by the next one.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from appliance.about import about
from appliance.errors import ApplianceError, Conflict
from appliance.events import Bus, Event, Progress, Published
from appliance.reconcile.record import Tell, record
from appliance.reconcile.root_volumes.comparing import StepKey, due
from appliance.reconcile.root_volumes.keeping import Keeping
from appliance.reconcile.root_volumes.steps import Steps, present
from appliance.reconcile.settle import settle
from appliance.reconcile.surviving import Surviving
from appliance.store import attempts, machines
from appliance.store.store import Store
from appliance.workflow import GRANT, PROVIDE, REVOKE, Attempt, failed, progressed

log = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
"""Between two looks at most: a lost event costs time, never correctness."""
BREATH = 5.0
"""Seconds before what cannot be done just now is tried again."""
TELL_SECONDS = 1.0
"""How often it is stored how far a step is."""
PASSING = frozenset({"helper-down", "helper-gone", "helper-silent", "pool-busy", "volume-busy", "volume-in-use"})
"""Codes of errors that time mends: the step goes on trying, and says so, for as long as it may take."""
_KINDS = frozenset({
    "attempt.started", "attempt.done", "attempt.failed", "step.done", "machine.state", "machine.deleted",
    "deployment.changed", "script.served", "resident.active",
})  # fmt: skip
"""Events after which something may be due, or a machine may have another address."""
_IN_A_ROW = (REVOKE, PROVIDE, GRANT)
"""The most steps of the appliance that follow each other at once."""


class RootVolumes:
    """``run`` goes on until it is cancelled; ``look`` does what is due now, all of it."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], steps: Steps, keeping: Keeping) -> None:
        self._store, self._bus, self._clock, self._steps, self._keeping = store, bus, clock, steps, keeping
        self._at_work: dict[StepKey, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """What fails is told and tried again; one machine's trouble holds up no other."""
        with self._bus.subscribe(64) as subscription:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep(), name="exports as they are wanted")
                while True:
                    with Surviving(log, "root volumes are looked at again later"):
                        await self._round(group)
                    await subscription.woken(_makes_due, LOOK_SECONDS)

    async def look(self) -> None:
        """Once: the steps that are due, to their ends, then whatever else is not as it is wanted."""
        for _ in _IN_A_ROW:
            async with asyncio.TaskGroup() as group:
                await self._round(group)
        await self._keeping.look()

    async def _keep(self) -> None:
        with self._bus.subscribe(64) as subscription:
            while True:
                with Surviving(log, "exports are compared with what is wanted later"):
                    await self._keeping.look()
                await subscription.woken(_makes_due, LOOK_SECONDS)
                await asyncio.sleep(TELL_SECONDS)  # a hall that boots tells much, and the kernel is asked once for it

    async def _round(self, group: asyncio.TaskGroup) -> None:
        found = due(await self._store.read(attempts.live))
        for key, task in self._at_work.items():
            if key not in found:
                task.cancel()
        for key, attempt in found.items():
            if key not in self._at_work:
                task = self._at_work[key] = group.create_task(self._do(attempt), name=f"root of attempt {attempt.id}")
                task.add_done_callback(partial(self._ended, key))

    def _ended(self, key: StepKey, _: asyncio.Task[None]) -> None:
        self._at_work.pop(key, None)

    async def _do(self, attempt: Attempt) -> None:
        told = Telling(self._store, self._bus, self._clock, attempt)
        with about(attempt.machine), Surviving(log, "a step of the appliance is tried again later"):
            async with asyncio.TaskGroup() as both:
                telling = both.create_task(told.run(), name=f"progress of attempt {attempt.id}")
                try:
                    await self._try(attempt, told)
                finally:
                    telling.cancel()

    async def _try(self, attempt: Attempt, told: "Telling") -> None:
        while True:
            try:
                return await self._steps.do(attempt, told.hears)
            except ApplianceError as error:
                if error.code == "stale-step":
                    return None
                if error.code not in PASSING:
                    hint = f"; {error.hint}" if error.hint else ""
                    return await self._give_up(attempt, error.code, f"{error.message}{hint}")
                told.hears(None, f"waiting: {error.message}")
            except Exception as error:
                log.error("a step of the appliance", exc_info=error)
                return await self._give_up(attempt, "root-defect", f"a defect of the appliance: {error}")
            await asyncio.sleep(BREATH)

    async def _give_up(self, attempt: Attempt, code: str, reason: str) -> None:
        def job(db: sqlite3.Connection, tell: Tell) -> None:
            try:
                before, now = present(db, attempt), self._clock()
            except Conflict:
                return
            machine = machines.get(db, before.machine)
            settle(db, tell, machine, before, failed(before, code, reason[:500], now), now)

        await record(self._store, self._bus, job)


class Telling:
    """How far a step is: heard at any rate, stored and published now and then."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], attempt: Attempt) -> None:
        self._store, self._bus, self._clock, self._attempt = store, bus, clock, attempt
        self._heard = self._told = (0.0, "")

    def hears(self, progress: float | None, message: str) -> None:
        """``progress`` is from 0 to 1; None where it is not known."""
        self._heard = (self._heard[0] if progress is None else progress, message)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(TELL_SECONDS)
            if self._heard != self._told:
                with Surviving(log, "how far a step of the appliance is, is not told"):
                    await self._tell(*self._heard)

    async def _tell(self, progress: float, message: str) -> None:
        step = self._attempt.step.name if self._attempt.step else ""

        def job(db: sqlite3.Connection) -> Attempt | None:
            try:
                found = present(db, self._attempt)
            except Conflict:
                return None
            after = progressed(found, step, progress, message, self._clock())
            attempts.put(db, replace(after, step_seen=found.step_seen))  # it is no sign of the machine
            return after

        after = await self._store.write(job)
        self._told = (progress, message)
        if after is not None:
            self._bus.publish(Progress(after.machine, step, after.progress, after.message))


def _makes_due(item: Published) -> bool:
    return isinstance(item, Event) and item.kind in _KINDS
