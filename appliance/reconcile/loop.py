"""The reconcile loop: wakes on any change and every 30 seconds, compares wanted with observed, acts."""

import logging
import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import replace

from appliance.about import about
from appliance.errors import ApplianceError
from appliance.events import Bus, Event, Published
from appliance.machine import Machine, MachineId
from appliance.reconcile.bell import Bell
from appliance.reconcile.plan import Action, Begin, Observed, next_wake, plan
from appliance.reconcile.record import Tell, record
from appliance.reconcile.settle import settle
from appliance.reconcile.tasks import amend, amendments
from appliance.store import attempts, deployments, machines, restless
from appliance.store.store import Store
from appliance.workflow import Attempt, AttemptId, Status, begin, seen, timed_out

log = logging.getLogger(__name__)

LONGEST = 30.0
"""Seconds between two rounds at most: a lost event costs time, never correctness."""
BREATH = 5.0
"""Seconds at least after an action that failed: what is overdue stays due, and a full disk lasts."""


class ReconcileLoop:
    """Level-triggered: each round starts from what is stored, whatever woke it."""

    def __init__(self, store: Store, bus: Bus, bell: Bell, clock: Callable[[], float]) -> None:
        self._store, self._bus, self._bell, self._clock = store, bus, bell, clock

    async def run(self) -> None:
        """Run until cancelled. A round that fails is told and tried again; nothing else stops for it."""
        with self._bus.subscribe(64) as subscription:
            excused = False
            while True:
                pause = LONGEST
                try:
                    if not excused:
                        await self._store.write(self._excuse)
                        excused = True
                    pause = await self.round()
                except Exception as error:
                    self._trouble(error)
                await subscription.woken(_makes_due, pause)

    def _excuse(self, db: sqlite3.Connection) -> None:
        """Whoever was silent while we were away could not be heard: patience begins anew with us."""
        for attempt in attempts.live(db):
            attempts.put(db, seen(attempt, self._clock()))

    async def round(self) -> float:
        """Do what is due; seconds until something can be due by itself."""
        observed = await self._store.read(self._observe)
        actions = plan(observed, self._clock())
        shortest = 0.0
        for action in actions:
            with about(_machine_of(action)):
                try:
                    await self._apply(action)
                except Exception as error:
                    self._trouble(error)  # of one machine; the others get their turn
                    shortest = BREATH
        await self._amend_tasks()
        if actions:
            observed = await self._store.read(self._observe)
        return max(shortest, next_wake(observed, self._clock(), LONGEST))

    async def _amend_tasks(self) -> None:
        """Tasks end with what they follow, in its transaction; this is for what no attempt ever told."""
        now = self._clock()
        if await self._store.read(lambda db: amendments(db, now)):
            await record(self._store, self._bus, lambda db, tell: amend(db, tell, now))

    def _trouble(self, error: Exception) -> None:
        """Tell it; a defect of ours in one machine must not end the service of all others."""
        if not isinstance(error, ApplianceError):
            log.error("reconciling", exc_info=error)
        self._bus.publish(Event("daemon.trouble", self._clock(), f"reconciling: {error}"))

    def _observe(self, db: sqlite3.Connection) -> Observed:
        """Only what may be due: a fleet that rests costs next to nothing, however large it is."""
        found = restless.machines(db)
        in_stack = restless.in_stack(db, [machine.id for machine in found])
        every = {machine.id: machine for machine in found}
        return Observed(every, deployments.on_machines(db, list(every)), attempts.live(db), in_stack)

    async def _apply(self, action: Action) -> None:
        machine = _machine_of(action)

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            found = machines.find(db, machine)
            if found is None:
                return
            if isinstance(action, Begin):
                self._begin(db, tell, action, found)
            else:
                self._expire(db, tell, action.attempt.id, found)

        await record(self._store, self._bus, job)
        self._bell.ring(machine)

    def _begin(self, db: sqlite3.Connection, tell: Tell, action: Begin, machine: Machine) -> None:
        """Checked again inside the transaction: the plan was made from an earlier snapshot."""
        now = self._clock()
        observed = self._observe(db)
        if action not in plan(observed, now):
            return
        if action.deployment is not None:
            deployments.put(db, action.deployment)
        attempt = begin(
            AttemptId(secrets.token_hex(8)),
            action.kind,
            machine.id,
            action.deployment.id if action.deployment else None,
            action.steps,
            nonce=secrets.token_hex(8),
            armed=action.armed,
            now=now,
        )
        if attempt.status is Status.DONE:
            machine = settle(db, tell, machine, None, _live(attempt), now)
            settle(db, tell, machine, _live(attempt), attempt, now)
        else:
            settle(db, tell, machine, None, attempt, now)

    def _expire(self, db: sqlite3.Connection, tell: Tell, attempt_id: str, machine: Machine) -> None:
        now = self._clock()
        attempt = attempts.find(db, attempt_id)
        if attempt is not None and attempt.status is Status.LIVE:
            settle(db, tell, machine, attempt, timed_out(attempt, now), now)


def _machine_of(action: Action) -> MachineId:
    return action.machine if isinstance(action, Begin) else action.attempt.machine


def _live(attempt: Attempt) -> Attempt:
    """An attempt without steps as it was for no time at all: machines pass through their busy state."""
    return replace(attempt, status=Status.LIVE, ended=None)


def _makes_due(item: Published) -> bool:
    """Not progress; and not our own complaint, which would have a round that fails follow the next at once."""
    return isinstance(item, Event) and item.kind != "daemon.trouble"
