"""Looks at every pool now and then: tells how full it is and what is wrong, gives it more room, copies LVM's notes.

A look changes nothing and waits for nobody. What a look asks for is done with the pool's lock, as every change is.
"""

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import replace

from appliance.errors import ApplianceError
from appliance.events import Bus, Event, Published
from appliance.pool import OF_POOLS, KnownPool
from appliance.privileged.verbs.lvm_pools import BackUp, GrowPool
from appliance.reconcile.pool_news import (
    FAR,
    Growth,
    Told,
    copy_due,
    growth,
    missing,
    news,
    observed,
    pause,
)
from appliance.reconcile.pool_rooms import Rooms
from appliance.reconcile.pool_work import PoolWork
from appliance.reconcile.record import Tell, record
from appliance.reconcile.surviving import Surviving
from appliance.store import pools
from appliance.store.store import Store
from appliance.volume import Pool, PoolId

log = logging.getLogger(__name__)

MEND_AGAIN = 600.0
"""Seconds after which a pool with volumes in trouble is mended once more: a disk may be back."""
_STIRS = ("pool.changed", "volume.changed")


class PoolWatch:
    """``run`` looks for as long as the daemon lives; each ``round`` by itself is whole."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], rooms: Rooms, work: PoolWork) -> None:
        self._store, self._bus, self._clock = store, bus, clock
        self._rooms, self._work = rooms, work
        self._mended: dict[PoolId, float] = {}

    async def run(self) -> None:
        """Until cancelled."""
        with self._bus.subscribe(64) as subscription:
            while True:
                seconds = FAR
                with Surviving(log, "how the pools are is looked at later"):
                    seconds = await self.round()
                await subscription.woken(_stirs, seconds)

    async def round(self) -> float:
        """One look at each pool; seconds until the next one."""
        await self._work.tidy()
        found = [FAR]
        for pool in await self._store.read(pools.every):
            if pool.place:
                with Surviving(log, f"how {pool.name} is could not be told"):
                    found.append(await self._look_at(pool))
        return min(found)

    async def _look_at(self, pool: KnownPool) -> float:
        await self._mend_if_due(pool)
        before = await self._store.read(lambda db: pools.told(db, pool.id, Told)) or Told()
        seen, after = await self._observed(pool, before)
        if seen and (more := growth(seen)) != Growth() and not self._rooms.is_busy(pool):
            await self._grow(pool, more)
            seen, after = await self._observed(pool, before)
        after = await self._copied(pool, after) if seen else after
        if after != before:
            await self._tell(pool, before, after, seen)
        return pause(seen)

    async def _observed(self, pool: KnownPool, before: Told) -> tuple[Pool | None, Told]:
        works = await self._store.read(lambda db: pools.works(db, pool.id))
        known = await self._store.read(lambda db: pools.volumes(db, pool.id))
        try:
            seen = await self._rooms.driver(pool).look()
        except ApplianceError as error:
            self._rooms.missed(pool)
            return None, missing(before, error.message)
        # Work that began or ended meanwhile has a hand in what was seen.
        works += await self._store.read(lambda db: pools.works(db, pool.id))
        if any(each.deed in OF_POOLS for each in works):
            return seen, before  # its volumes may be taken away for so long
        gone = known.keys() - (await self._store.read(lambda db: pools.volumes(db, pool.id))).keys()
        busy = {str(each.volume) for each in works} | {str(key) for key in gone}
        return seen, observed(seen, known, before, busy)

    async def _tell(self, pool: KnownPool, before: Told, after: Told, seen: Pool | None) -> None:
        now = self._clock()

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            for event in news(pool, before, after, seen, now):
                tell(event)
            pools.put_told(db, pool.id, after)

        await record(self._store, self._bus, job)

    async def _mend_if_due(self, pool: KnownPool) -> None:
        """At the daemon's start, and again while there is trouble that it may end."""
        now = self._clock()
        told = await self._store.read(lambda db: pools.told(db, pool.id, Told)) or Told()
        again = bool(told.trouble or told.volumes) and now - self._mended.get(pool.id, 0.0) >= MEND_AGAIN
        if (self._rooms.is_mended(pool) and not again) or self._rooms.is_busy(pool):
            return  # whoever changes it has it mended first
        self._mended[pool.id] = now
        try:
            await self._rooms.mend(pool)
        except ApplianceError as error:  # what it means is told at the look that follows
            log.info("%s could not be mended: %s", pool.name, error.message)

    async def _grow(self, pool: KnownPool, more: Growth) -> None:
        """What its group has left; a failure is told by the next level that it reaches."""
        with Surviving(log, f"{pool.name} could not be given more room"):
            async with self._rooms.changing(pool):
                await self._rooms.on.helper.call(GrowPool(pool.place, more.data, more.metadata))
            text = f"the pool {pool.name} was given more room: {_words(more)}"
            why = "it was filling up, and its volume group had room left"
            event = Event("pool.grown", self._clock(), text, why, detail={**pool.detail, **_bytes(more)})
            await record(self._store, self._bus, lambda _, tell: tell(event))

    async def _copied(self, pool: KnownPool, told: Told) -> Told:
        """Once a day; what cannot be copied now is copied at a later look."""
        day = copy_due(pool, told, self._clock())
        if not day or self._rooms.is_busy(pool):
            return told
        try:
            async with self._rooms.changing(pool):
                await self._rooms.on.helper.call(BackUp(pool.place, day))
        except ApplianceError as error:
            log.warning("LVM's notes of %s are not copied: %s", pool.name, error.message)
            return told
        return replace(told, copied=day)


def _words(more: Growth) -> str:
    parts = [(more.data, "for data"), (more.metadata, "to note what is whose")]
    return ", ".join(f"{size >> 20} MiB {what}" for size, what in parts if size)


def _bytes(more: Growth) -> dict[str, object]:
    return {"data": more.data, "metadata": more.metadata}


def _stirs(item: Published) -> bool:
    return isinstance(item, Event) and item.kind in _STIRS
