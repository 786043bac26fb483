"""What keeps the store small: run once an hour."""

import asyncio
import logging
import re
import sqlite3
from collections.abc import Callable

from appliance.events import Bus, Event
from appliance.machine import Machine, MachineId, State
from appliance.reconcile.record import Tell, record
from appliance.reconcile.surviving import Surviving
from appliance.store import attempts, audit, deployments, events, machines, sightings, tasks
from appliance.store.store import Store

log = logging.getLogger(__name__)

HOUR = 3600.0
FORGET_SECONDS = 7 * 86400.0
"""How long a machine is remembered that asked for a boot script and was never heard of again."""
SIGHT_SECONDS = 30 * 86400.0
"""How long an interface is remembered that was seen on the network and never was here."""
SLICE = 200
"""Machines that are forgotten in one transaction at most: others wait for it."""
_GIVEN = re.compile(r"node-[0-9a-f]{6}(-[0-9a-f]{4})?")
"""Names that we gave."""


class Upkeep:
    """Forgets what nobody needs any more."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float]) -> None:
        self._store, self._bus, self._clock = store, bus, clock

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with Surviving(log, "what is old stays for another hour"):
                await self.round()
            await asyncio.sleep(HOUR)

    async def round(self) -> None:
        """Forget everything that is due, in slices; raises ApplianceError when the disk does not take it."""
        while await self._store.write(events.prune):
            continue
        while await self._store.write(tasks.prune):
            continue
        while await self._store.write(tasks.prune_items):
            continue
        for machine in await self._store.read(attempts.crowded):
            await self._prune_attempts(machine)
        while await self._store.write(lambda db: audit.prune(db, self._clock())):
            continue
        await self._store.write(sightings.forget_arrived)
        await self._store.write(lambda db: sightings.forget_before(db, self._clock() - SIGHT_SECONDS))
        while await record(self._store, self._bus, self._forget):
            continue

    async def _prune_attempts(self, machine: MachineId) -> None:
        while await self._store.write(lambda db: attempts.prune(db, machine)):
            continue

    def _forget(self, db: sqlite3.Connection, tell: Tell) -> bool:
        """Forget some of the machines that never came up; whether there may be more."""
        now = self._clock()
        wanted = {each for made in deployments.every(db) for each in (made.machine, made.wanted_machine)}
        strangers = machines.without_inventory(db, State.DISCOVERED)
        due = [
            each
            for each in strangers
            if each.id not in wanted and _untouched(each) and now - (each.last_seen or each.created) > FORGET_SECONDS
        ]
        for machine in due[:SLICE]:
            machines.delete(db, machine.id)
            why = f"it asked for a boot script {FORGET_SECONDS / 86400:.0f} days ago and never came up"
            tell(Event("machine.deleted", now, f"{machine.name} was forgotten", why, machine.id))
        return len(due) > SLICE


def _untouched(machine: Machine) -> bool:
    """Whether no user has changed anything of it."""
    plain = machine.maintenance and not machine.notes and not machine.tags and machine.reserved_address is None
    plain = plain and machine.hand_over == "kexec"  # only a user chooses another before a system ever ran
    return plain and _GIVEN.fullmatch(machine.name) is not None
