"""VMs over a store, for whatever is served over HTTPS: the parts of the daemon, with hosts of memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

from storage_bench import at_work as pools_at_work

from appliance.events import Bus
from appliance.hypervisor.build import Surroundings
from appliance.hypervisor.memory import HOST, Memory
from appliance.reconcile.jobs import JobKind, Jobs
from appliance.reconcile.pool_parts import PoolParts
from appliance.reconcile.vm_statistics.parts import FigureParts, figure_parts
from appliance.reconcile.vms.parts import Around, VmParts, no_discs, vm_parts
from appliance.reconcile.vms.service import Vms
from appliance.store.store import Store
from appliance.task import VMS
from appliance.web.services import Services
from tests.people import ADMIN

OURS = "0123456789abcdef"


@dataclass
class HostsOfMemory:
    """For Services; what works with VMs is built at the first call."""

    store: Store
    bus: Bus
    clock: Callable[[], float]
    storage: Callable[[], PoolParts]
    memories: dict[str, Memory] = field(default_factory=dict)

    def __call__(self) -> Vms:
        return self.parts.vms

    @cached_property
    def parts(self) -> VmParts:
        around = Around(Surroundings(OURS, self.memories), lambda: False, lambda: self.storage().rooms, no_discs)
        return vm_parts(self.store, self.bus, self.clock, around)

    @cached_property
    def figures(self) -> FigureParts:
        return figure_parts(self.store, self.bus, self.clock, self.parts.rooms, self.parts.vms)

    async def host(self, name: str = "one") -> Memory:
        """One that is known."""
        self.memories[name] = Memory(self.clock, replace(HOST, name=name))
        await self.parts.vms.add_host(name, f"memory:///{name}", ADMIN)
        return self.memories[name]


@asynccontextmanager
async def at_work(services: Services) -> AsyncIterator[HostsOfMemory]:
    """What is asked of pools and VMs is done, for the length of the with-block."""
    vms = services.vms
    assert isinstance(vms, HostsOfMemory)
    kinds = {kind: JobKind(vms.parts.jobs.run, resumes=True, waits=True) for kind in VMS}
    jobs = Jobs(services.store, services.bus, services.clock, kinds)
    async with pools_at_work(services, jobs=False), asyncio.TaskGroup() as group:
        loops = [group.create_task(each) for each in (jobs.run(), vms.parts.watch.run())]
        try:
            yield vms
        finally:
            for each in loops:
                each.cancel()
