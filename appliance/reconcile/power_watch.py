"""Looks at power switches, now and then, and never all at once: what they say is stored, and told where it is news."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import replace

from appliance.about import about
from appliance.errors import ApplianceError
from appliance.events import Bus, Event, Published
from appliance.machine import MachineId
from appliance.power_known import Switch
from appliance.power_switch import Ability, PowerError, abilities
from appliance.reconcile import power_schedule as schedule
from appliance.reconcile.surviving import Surviving
from appliance.reconcile.switchboard import MOST_LOOKS, Switchboard
from appliance.store import attempts, power
from appliance.store.store import Store

log = logging.getLogger(__name__)

TICK = 5.0
"""Seconds between two rounds at most."""
FRESH_SECONDS = 60.0
"""After that the list of switches is read anew, whatever no event told."""
GATHER_SECONDS = 5.0
"""How long a list is good at least, whatever events told: there may be ten thousand switches, and many events."""
FIRST_LOOKS = 30.0
"""Seconds over which the first looks after a start of ours are spread."""


class PowerWatch:
    """Nothing waits for it: its looks have places of their own, of which silent switches take half at most.

    A switch that hangs keeps its place for as long as a call may take, and is looked at more and more seldom.
    """

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], board: Switchboard) -> None:
        self._store, self._bus, self._clock, self._board = store, bus, clock, board
        self._switches: dict[MachineId, Switch] = {}
        self._at_work: frozenset[MachineId] = frozenset()
        self._read_at: float | None = None
        self._told = False
        """Whether an event told since then that something may be different."""
        self._due: dict[MachineId, float] = {}
        """When each is looked at next."""
        self._looking: set[MachineId] = set()

    async def run(self) -> None:
        """Run until cancelled."""
        with self._bus.subscribe(64) as subscription:
            async with asyncio.TaskGroup() as group:
                while True:
                    with Surviving(log, "power switches are looked at later"):
                        await self.round(group)
                    await subscription.woken(self._matters, TICK)

    def _matters(self, item: Published) -> bool:
        kinds = ("machine.changed", "machine.deleted", "attempt.started", "attempt.done", "attempt.failed")
        matters = isinstance(item, Event) and item.kind in kinds
        self._told = self._told or matters
        return matters

    async def round(self, group: asyncio.TaskGroup) -> None:
        """Begin the looks that are due, as far as there is room."""
        now = self._clock()
        good = GATHER_SECONDS if self._told else FRESH_SECONDS
        if self._read_at is None or not 0 <= now - self._read_at < good:
            await self._refresh(now)
        waiting = sorted((at, machine) for machine, at in self._due.items() if at <= now)
        for _, machine in waiting:
            if machine not in self._looking and not self._board.is_held(machine) and self._has_room(machine):
                self._looking.add(machine)
                group.create_task(self._look(machine), name=f"power of {machine}")

    def _has_room(self, machine: MachineId) -> bool:
        if len(self._looking) >= MOST_LOOKS:
            return False
        silent = sum(self._is_silent(each) for each in self._looking)
        return silent < MOST_LOOKS // 2 or not self._is_silent(machine)

    def _is_silent(self, machine: MachineId) -> bool:
        """Whether it did not answer the last time, as far as the list knows."""
        switch = self._switches.get(machine)
        return switch is not None and switch.seen.failures > 0

    async def _refresh(self, now: float) -> None:
        def job(db: sqlite3.Connection) -> tuple[list[Switch], frozenset[MachineId]]:
            return power.every(db), frozenset(each.machine for each in attempts.live(db))

        self._told = False
        switches, self._at_work = await self._store.read(job)
        before, self._read_at = self._switches, now
        self._switches = {each.machine: each for each in switches if _observes(each)}
        self._due = {machine: self._when(before.get(machine), machine, now) for machine in self._switches}

    def _when(self, before: Switch | None, machine: MachineId, now: float) -> float:
        """When one is looked at next: at once where it is new to us, but for a start of ours, when all of them are."""
        switch, at = self._switches[machine], self._due.get(machine)
        if before is None and switch.seen.at is not None:
            return now + FIRST_LOOKS * schedule.spread(machine, now)
        if before is None or at is None or before.settings != switch.settings:
            return now
        working = machine in self._at_work and not switch.seen.failures
        return min(at, now + schedule.LOOK_EVERY_AT_WORK) if working else at

    async def _look(self, machine: MachineId) -> None:
        with about(machine), Surviving(log, "a power switch is looked at again later"):
            try:
                async with self._board.line(machine, looking=True) as line:
                    await self._board.observe(line)
            except PowerError as error:
                log.info("its power switch: %s", error.message)  # and stored by the switchboard
            except ApplianceError as error:
                # It was not even asked: its password cannot be read, and only a person can mend that.
                await self._board.troubled(machine, PowerError("power-refused", error.message, error.hint))
            finally:
                self._looking.discard(machine)
                await self._plan_next(machine)

    async def _plan_next(self, machine: MachineId) -> None:
        switch, now = await self._store.read(lambda db: power.find(db, machine)), self._clock()
        if switch is None or machine not in self._switches:
            self._due.pop(machine, None)
            return
        self._switches[machine] = replace(self._switches[machine], seen=switch.seen)
        at_work, spread = machine in self._at_work, schedule.spread(machine, now)
        self._due[machine] = now + schedule.pause(switch.seen, at_work, len(self._switches), spread)


def _observes(switch: Switch) -> bool:
    return Ability.OBSERVE in abilities(switch.settings.kind)
