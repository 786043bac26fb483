"""When machines were last heard of: noted in memory, written for all of them together."""

import asyncio
import logging
from collections.abc import Callable

from appliance.machine import MachineId
from appliance.reconcile.surviving import Surviving
from appliance.store import machines
from appliance.store.store import Store

log = logging.getLogger(__name__)

SEEN_SECONDS = 20.0
"""Signs of a machine closer together than this are not written again."""
GATHER_SECONDS = 2.0
"""How long signs are gathered: of ten thousand machines hundreds come meanwhile, and cost one commit."""


class Presence:
    """Signs of life that change nothing else; `run` stores them."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._told: dict[MachineId, float] = {}
        """When each was last noted; forgotten once a further sign would be noted anyway."""
        self._waiting: dict[MachineId, float] = {}
        self._something = asyncio.Event()

    def heard(self, machine: MachineId) -> None:
        """A machine gave a sign of life; returns at once."""
        now = self._clock()
        if now - self._told.get(machine, 0.0) > SEEN_SECONDS:
            self._told[machine] = self._waiting[machine] = now
            self._something.set()

    async def run(self) -> None:
        """Store what waits, in batches; until cancelled."""
        while True:
            await self._something.wait()
            await asyncio.sleep(GATHER_SECONDS)
            await self.store()

    async def store(self) -> None:
        """Store what waits now. What cannot be stored is lost: the next sign of that machine is not far."""
        self._something.clear()
        waiting, self._waiting = self._waiting, {}
        before = self._clock() - SEEN_SECONDS
        self._told = {machine: at for machine, at in self._told.items() if at >= before}
        if waiting:
            with Surviving(log, f"{len(waiting)} machines look as if they were silent"):
                await self._store.write(lambda db: machines.put_seen(db, waiting))
