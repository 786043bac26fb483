"""Does the work that wishes have stored: at once or as tasks, one change of a pool after the other.

Work is stored before anything of it is done, and forgotten in the transaction that notes its end. So what a killed
daemon was at is done once more at the next start; drivers find done what is done.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.events import Bus, Event
from appliance.filesystem.ext4 import KIND
from appliance.pool import MAKING, OF_POOLS, Deed, KnownPool, Work
from appliance.reconcile.fillings import Fillings
from appliance.reconcile.pool_deeds import PoolDeeds
from appliance.reconcile.pool_rooms import Rooms
from appliance.reconcile.record import Tell, record
from appliance.reconcile.surviving import Surviving
from appliance.reconcile.volume_deeds import ended, seen_before, told_of
from appliance.storage.driver import Hears, PoolDriver, partly, unheard
from appliance.store import pools
from appliance.store.store import Store
from appliance.volume import NewVolume, Volume, VolumeId

log = logging.getLogger(__name__)

Result = dict[str, Any]
MADE = 0.7
"""Which share of filling a volume it is to make what it is to hold."""


class PoolWork:
    """``run`` does what is to be done at once; tasks ask for ``carry_out`` themselves."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], rooms: Rooms) -> None:
        self._store, self._bus, self._clock, self._rooms = store, bus, clock, rooms
        self._deeds, self._fillings = PoolDeeds(store, bus, clock, rooms), Fillings(store, rooms.on.state)
        self._asked: asyncio.Queue[Work] = asyncio.Queue()
        self._outcomes: dict[int, asyncio.Future[Result]] = {}

    async def do(self, work: Work) -> Result:
        """Its result, once ``run`` has done it; raises what that raised. It goes on when nobody waits any more."""
        future = self._outcomes.get(work.id)
        if future is None:  # else ``run`` began in between, and found it in the store
            future = self._expected(work)
            self._asked.put_nowait(work)
        return await asyncio.shield(future)

    async def run(self) -> None:
        """Until cancelled: first what an earlier daemon has left, then whatever is asked for."""
        with Surviving(log, "what was left of volumes that were filled stays for now"):
            await self._fillings.sweep()
        async with asyncio.TaskGroup() as group:
            for work in await self._store.read(pools.works):
                if work.task is None and work.id not in self._outcomes:
                    self._expected(work)
                    group.create_task(self._do(work, waited=False), name=f"pool work {work.id}")
            while True:
                work = await self._asked.get()
                group.create_task(self._do(work, waited=True), name=f"pool work {work.id}")

    def _expected(self, work: Work) -> "asyncio.Future[Result]":
        future = self._outcomes[work.id] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_looked_at)
        return future

    async def _do(self, work: Work, *, waited: bool) -> None:
        """What nobody waits for is what was left: its outcome is kept for who may still come to ask."""
        future = self._outcomes[work.id]
        try:
            future.set_result(await self.carry_out(work, waited=waited))
        except Exception as error:  # whoever waits raises it
            if not isinstance(error, ApplianceError):
                log.error("%s, asked for by %s", work.deed, work.by, exc_info=error)
            future.set_exception(error)
        finally:
            if waited:
                self._outcomes.pop(work.id)

    async def carry_out(self, work: Work, hears: Hears = unheard, *, waited: bool = False) -> Result:
        """Do it, note it, tell it; what is noted as done already is not done again.

        Raises what the driver or the helper raises; then the work has ended, and that is told, but for a refusal that
        whoever asked hears at once (``waited``).
        """
        pool = await self._store.read(lambda db: pools.find(db, work.pool))
        if pool is None:
            return {}
        try:
            if work.deed in OF_POOLS:
                return await self._deeds.carry_out(pool, work, hears)
            if work.deed is Deed.FILL:
                return await self._fill(pool, work, hears)
            async with self._rooms.held(pool, hears) as found:
                return await self._change(pool, found, work)
        except Exception as error:
            await self._fail(pool, work, error, waited)
            raise

    async def _change(self, pool: KnownPool, on: PoolDriver, work: Work) -> Result:
        if await self._store.read(lambda db: pools.work(db, work.id)) is None:
            return _result(work)
        before = await seen_before(on, work)
        await _apply(on, work)
        return await self._done(pool, work, before)

    async def _done(self, pool: KnownPool, work: Work, before: dict[str, Volume]) -> Result:
        now = self._clock()
        await record(self._store, self._bus, lambda db, tell: ended(db, tell, pool, work, before, now))
        return _result(work)

    async def _fill(self, pool: KnownPool, work: Work, hears: Hears) -> Result:
        """What it is to hold is made first, and nobody has to wait for the pool meanwhile."""
        present = await self._store.read(lambda db: pools.work(db, work.id))
        if present is None:
            return _result(work)
        if await self._is_filled(pool, present):
            self._fillings.forget(present)
            return await self._done(pool, present, {})
        async with self._fillings.made(present, partly(hears, 0.0, MADE)) as filling:
            sized = replace(present, size=filling.size)  # noted: what is made again is as large
            await self._store.write(lambda db: pools.put_work(db, sized))
            async with self._rooms.held(pool, partly(hears, MADE, 1.0)) as on:
                assert work.volume is not None, "it is made for one"
                await on.fill(_new(sized, work.volume), filling.path, KIND)
                return await self._done(pool, sized, {})

    async def _is_filled(self, pool: KnownPool, work: Work) -> bool:
        """An earlier daemon had come so far."""
        if not work.size or work.volume is None:
            return False
        async with self._rooms.held(pool) as on:
            found = (await on.look()).volume(work.volume)
        return found is not None and not found.trouble

    async def _fail(self, pool: KnownPool, work: Work, error: Exception, waited: bool) -> None:
        """What is half made goes at once, where that can be done; else at the next look at the pool."""
        refused = isinstance(error, Conflict | Invalid | NotFound)
        if work.deed in MAKING or (work.deed not in OF_POOLS and not refused):
            with Surviving(log, f"{pool.name} is mended later"):
                await self._rooms.mend(pool)
        message = error.message if isinstance(error, ApplianceError) else f"a defect of the appliance: {error}"
        await self._drop(pool, work, "" if refused and waited else "failed", message)

    async def take_back(self, work: Work) -> bool:
        """Somebody has cancelled it; False where it was done already. What it was to make is removed."""
        # Behind whatever is on its way to the disk: that it is done may be there already.
        open_still = await self._store.write(lambda db: pools.work(db, work.id))
        pool = await self._store.read(lambda db: pools.find(db, work.pool))
        if pool is None or open_still is None:
            return False
        self._fillings.forget(work)
        if work.deed not in OF_POOLS:
            with Surviving(log, f"{pool.name} is mended later"):
                await self._rooms.mend(pool)
                async with self._rooms.held(pool) as found:
                    if work.deed in MAKING and work.volume:
                        await found.delete(work.volume)
        await self._drop(pool, work, "given up", "somebody cancelled it")
        return True

    async def tidy(self) -> None:
        """End the work of tasks that have ended before they came to it."""
        for work in await self._store.read(pools.stray_works):
            with Surviving(log, "what is left of a task stays for now"):
                await self.take_back(work)

    async def _drop(self, pool: KnownPool, work: Work, how: str, why: str) -> None:
        """``how`` is empty for what is not told."""
        now = self._clock()

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            if pools.work(db, work.id) is None:
                return
            pools.drop_work(db, work.id)
            if how:
                kind = "pool.changed" if work.deed in OF_POOLS else "volume.changed"
                detail = {**pool.detail, "volume": work.volume, "deed": work.deed, "task": work.task}
                tell(Event(kind, now, f"{told_of(pool, work)}: {how}", why, detail=detail))
            if work.deed in (Deed.MAKE, Deed.ADOPT):
                pools.delete(db, pool.id)

        await record(self._store, self._bus, job)


async def _apply(on: PoolDriver, work: Work) -> None:
    """Raises NotFound ``volume-unknown`` where the work does not say of what it is."""
    volume, source = work.volume, work.source
    if volume is None:
        raise NotFound("volume-unknown", "it is not said which volume is meant", "ask for it again")
    match work.deed:
        case Deed.CREATE:
            await on.create(_new(work, volume))
        case Deed.SNAPSHOT | Deed.CLONE if source:
            await on.copy(source, _new(work, volume))
        case Deed.GROW:
            await on.grow(volume, work.size)
        case Deed.ROLL_BACK if source:
            await on.roll_back(volume, source)
        case Deed.RENAME:
            await on.rename(volume, work.name)
        case Deed.DELETE:
            await on.delete(volume)
        case Deed.SNAPSHOT | Deed.CLONE | Deed.ROLL_BACK:
            raise NotFound(
                "volume-unknown", f"it is not said what {work.name} gets its content from", "ask for it again"
            )
        case _:
            raise AssertionError(f"{work.deed} is done to pools, and not to volumes")


def _new(work: Work, volume: VolumeId) -> NewVolume:
    return NewVolume(volume, work.name, work.size, work.read_only)


def _result(work: Work) -> Result:
    return {"pool": work.pool, "volume": work.volume}


def _looked_at(future: "asyncio.Future[Result]") -> None:
    """Its error is nobody's surprise, also where whoever asked has gone."""
    if not future.cancelled():
        future.exception()
