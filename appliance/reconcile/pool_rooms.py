"""The pools that are known, each with its driver and its turns: who changes a pool, or a volume in it, has it alone."""

import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from appliance.errors import ApplianceError, NotFound
from appliance.events import Bus, Event
from appliance.pool import LVM, KnownPool
from appliance.privileged.verb import R, Verb
from appliance.privileged.verbs.lvm import Group, Report
from appliance.reconcile.pool_turns import Turns
from appliance.reconcile.record import Tell, record
from appliance.reconcile.surviving import Surviving
from appliance.storage.build import Surroundings, driver
from appliance.storage.driver import Aside, Hears, PoolDriver, in_its_place, unheard
from appliance.store.store import Store
from appliance.volume import PoolId

log = logging.getLogger(__name__)

WHY_MENDED = "the appliance, its helper or its power was cut off in the middle of a change"


class Rooms:
    """Cheap to build: nothing is opened before somebody asks for it."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], on: Surroundings) -> None:
        self._store, self._bus, self._clock = store, bus, clock
        self.on = on
        self._turns: defaultdict[PoolId, Turns] = defaultdict(Turns)
        self._mended: set[PoolId] = set()

    def driver(
        self,
        pool: KnownPool,
        hears: Hears = unheard,
        on: Surroundings | None = None,
        aside: Aside = in_its_place,
    ) -> PoolDriver:
        """For looking; for changes take it from ``held``. Raises NotFound ``pool-missing`` while it is being made.

        ``on`` stands in for the surroundings of all pools.
        """
        if not pool.place:
            raise NotFound("pool-missing", f"{pool.name} is not made yet", "wait for its task to end")
        return driver(pool.kind, pool.place, on or self.on, hears, aside)

    @asynccontextmanager
    async def held(self, pool: KnownPool, hears: Hears = unheard) -> AsyncIterator[PoolDriver]:
        """Its driver, for the length of the with-block to nobody else, but for the time in which it fills a volume.

        What an earlier daemon was cut off at is mended before the first change of this one.
        """
        async with self._turns[pool.id].change() as aside:
            found = self.driver(pool, hears, aside=aside)
            if pool.id not in self._mended:
                with Surviving(log, f"{pool.name} could not be mended"):  # else one volume would hold up all others
                    await self._mend(pool, found)
            yield found

    @asynccontextmanager
    async def alone(self, pool: KnownPool) -> AsyncIterator[None]:
        """For changes of the pool as a whole, which may not be there yet: nothing in it is being filled meanwhile."""
        async with self._turns[pool.id].whole():
            yield

    @asynccontextmanager
    async def changing(self, pool: KnownPool) -> AsyncIterator[None]:
        """For changes of the pool that volumes which are being filled go on with."""
        async with self._turns[pool.id].change():
            yield

    async def mend(self, pool: KnownPool) -> None:
        """Now; raises what the driver raises."""
        async with self._turns[pool.id].change():
            await self._mend(pool, self.driver(pool))

    async def _mend(self, pool: KnownPool, found: PoolDriver) -> None:
        """It counts as tried where the pool is there: what is open, or on a missing disk, cannot be mended now."""
        try:
            said = await found.mend(self._turns[pool.id].filled)
        except ApplianceError as error:
            if error.code != "pool-missing":
                self._mended.add(pool.id)
            raise
        self._mended.add(pool.id)
        if said:
            now = self._clock()
            events = [
                Event("pool.mended", now, f"{pool.name}: {each}", WHY_MENDED, detail=pool.detail) for each in said
            ]
            await record(self._store, self._bus, lambda _, tell: _told(tell, events))

    def missed(self, pool: KnownPool) -> None:
        """It is not there: once it is back, its volumes have to be made usable again."""
        self._mended.discard(pool.id)

    def is_mended(self, pool: KnownPool) -> bool:
        """Whether that was done since the daemon started."""
        return pool.id in self._mended

    def is_busy(self, pool: KnownPool) -> bool:
        """Whether somebody has it; who looks now and then does not wait for what may take hours."""
        return self._turns[pool.id].taken

    async def groups(self) -> list[Group]:
        """All volume groups that LVM uses, ours and others, as ``listed``."""
        return await self.listed(Report())

    async def listed(self, verb: Verb[list[R]]) -> list[R]:
        """What the privileged helper lists; nothing on a computer without one, where nothing of it could be used.

        Raises ApplianceError where it does not answer.
        """
        try:
            return await self.on.helper.call(verb)
        except ApplianceError as error:
            if error.code != "helper-missing":
                raise
            return []

    async def group(self, pool: KnownPool) -> Group:
        """The volume group of a pool; raises NotFound ``pool-missing``."""
        found = [each for each in await self.groups() if each.uuid == pool.place] if pool.kind in LVM else []
        if not found:
            text = f"the volume group of {pool.name} is not there"
            raise NotFound("pool-missing", text, "see that its disks are connected")
        return found[0]


def _told(tell: Tell, events: Iterable[Event]) -> None:
    for each in events:
        tell(each)
