"""Pools over a store, for whatever is served over HTTPS: the parts of the daemon, with a helper of paper."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from appliance.events import Bus
from appliance.reconcile.jobs import JobKind, Jobs
from appliance.reconcile.pool_jobs import run as run_job
from appliance.reconcile.pool_parts import PoolParts, pool_parts
from appliance.reconcile.pool_wishes import PoolWish
from appliance.storage.build import Surroundings
from appliance.store import tasks
from appliance.store.store import Store
from appliance.task import STORAGE, Task
from appliance.volume import PoolKind
from appliance.web.services import Services
from tests.people import ADMIN
from tests.reconcile.pool_world import Helper


def storage_of(store: Store, bus: Bus, clock: Callable[[], float]) -> Callable[[], PoolParts]:
    """For Services; what works with pools is built at the first call. Its helper is ``Helper``: nothing of LVM."""
    state = TemporaryDirectory(prefix="qrm-storage-")

    @cache
    def parts() -> PoolParts:
        return pool_parts(
            store, bus, clock, Surroundings(Helper(answers={"disks.list": []}), clock, state=Path(state.name))
        )

    return parts


def storage_jobs(services: Services) -> dict[str, JobKind]:
    """The tasks of pools and volumes."""
    return {
        kind: JobKind(lambda running: run_job(services.storage().work, running), resumes=True, waits=True)
        for kind in STORAGE
    }


@asynccontextmanager
async def at_work(services: Services, *, jobs: bool = True) -> AsyncIterator[PoolParts]:
    """What is asked is done, for the length of the with-block; without ``jobs`` only what is done at once."""
    parts = services.storage()
    async with asyncio.TaskGroup() as group:
        loops = [group.create_task(parts.work.run(), name="pool work")]
        if jobs:
            kinds = Jobs(services.store, services.bus, services.clock, storage_jobs(services))
            loops.append(group.create_task(kinds.run(), name="pool jobs"))
        try:
            yield parts
        finally:
            for each in loops:
                each.cancel()


async def ended(services: Services, task: Task) -> Task:
    """The task, once it has ended."""
    with services.bus.subscribe() as subscription:
        while (found := await services.store.read(lambda db: tasks.get(db, task.id))).open:
            async with asyncio.timeout(20):
                await subscription.get()
    return found


async def memory_pool(services: Services, name: str = "fast") -> None:
    """A pool that is nothing but values; somebody has to be ``at_work``."""
    task = await services.storage().pools.make(PoolWish(name, PoolKind.MEMORY, name), None, ADMIN)
    assert (await ended(services, task)).status == "done"
