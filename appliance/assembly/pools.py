"""Pools of storage, which many computers have none of: what works with them is imported when it is first needed."""

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Any

from appliance.assembly.ground import Ground
from appliance.assembly.parts import Run
from appliance.reconcile.jobs import JobKind, Running
from appliance.store.census import has_pools
from appliance.task import STORAGE

if TYPE_CHECKING:
    from appliance.reconcile.pool_parts import PoolParts


class Storage:
    """``parts`` are built at the first look at them, at the latest when the daemon finds a pool in its store."""

    def __init__(self, on: Ground) -> None:
        self._on = on
        self._needed = asyncio.Event()

    @cached_property
    def parts(self) -> "PoolParts":
        """For whoever answers people and programs."""
        from appliance.privileged.client import Privileged
        from appliance.reconcile.pool_parts import pool_parts
        from appliance.storage.build import Surroundings

        self._needed.set()
        on = self._on
        return pool_parts(on.store, on.bus, on.clock, Surroundings(Privileged(), on.clock, state=on.state))

    def loops(self) -> dict[str, Run]:
        """They rest until they are needed."""
        return {"pool work": self._work, "pools": self._watch, "root volumes": self._roots}

    def jobs(self) -> dict[str, JobKind]:
        """They wait for disks, and each other, most of the time. What is cut off is gone on with."""
        return {kind: JobKind(self._job, resumes=kind != "pool.repair", waits=True) for kind in STORAGE}

    async def _work(self) -> None:
        await self._need()
        await self.parts.work.run()

    async def _watch(self) -> None:
        await self._need()
        await self.parts.watch.run()

    async def _roots(self) -> None:
        await self._need()
        from appliance.assembly.root_volumes import root_volumes

        await root_volumes(self._on, self.parts).run()

    async def _need(self) -> None:
        if not await self._on.store.read(has_pools):
            await self._needed.wait()

    async def _job(self, running: Running) -> dict[str, Any]:
        from appliance.reconcile.pool_jobs import run

        return await run(self.parts.work, running)
