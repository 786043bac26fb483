"""Stores what somebody wants done to a pool or a volume, and has it done: at once, or as a task."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace

from appliance.events import Bus
from appliance.pool import KnownPool, Work, is_long
from appliance.reconcile.jobs import open_job
from appliance.reconcile.pool_work import PoolWork
from appliance.reconcile.record import Tell, record
from appliance.reconcile.volume_deeds import told_of
from appliance.store import pools
from appliance.store.store import Store
from appliance.task import Task
from appliance.volume import PoolId, VolumeId


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a wish."""

    pool: PoolId
    volume: VolumeId | None = None
    task: Task | None = None
    """Does it; None: it is done."""


class Asking:
    """One for all wishes."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], work: PoolWork) -> None:
        self.store, self.bus, self.clock = store, bus, clock
        self._work = work

    async def ask(self, pool: KnownPool, work: Work) -> Done:
        """For a pool that is known. Raises Conflict ``volume-busy``, ``pool-busy``, and what the deed raises."""
        return await self._asked(lambda db: pools.get(db, pool.id), work)

    async def ask_new(self, pool: KnownPool, work: Work) -> Done:
        """For one that is to be made or adopted. Raises Conflict ``pool-taken``."""
        return await self._asked(lambda db: pools.add(db, pool), work)

    async def _asked(self, find: Callable[[sqlite3.Connection], KnownPool], work: Work) -> Done:
        def job(db: sqlite3.Connection, tell: Tell) -> tuple[Work, Task | None]:
            pool = find(db)
            stored = pools.add_work(db, pool.kind, replace(work, pool=pool.id))
            if not is_long(pool.kind, work.deed):
                return stored, None
            about = {"pool": pool.id, "volume": work.volume}
            task = open_job(db, tell, work.deed, told_of(pool, work), work.by, self.clock(), about)
            stored = replace(stored, task=task.id)
            pools.put_work(db, stored)
            return stored, task

        stored, task = await record(self.store, self.bus, job)
        if task is None:
            await self._work.do(stored)
        return Done(stored.pool, stored.volume, task)
