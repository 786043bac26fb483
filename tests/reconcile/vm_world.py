"""Hosts of memory over a real store, with pools of memory; the daemon may be killed and started again."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from pool_world import PoolWorld

from appliance.hypervisor.build import Surroundings
from appliance.hypervisor.memory import HOST, Kept, Memory
from appliance.pool import Deed
from appliance.reconcile.jobs import JobKind, Jobs
from appliance.reconcile.pool_jobs import run as run_pool_job
from appliance.reconcile.vms.parts import Around, no_discs, vm_parts
from appliance.store import audit, events, pools, tasks, vm_work
from appliance.store.listing import Asked, page
from appliance.vm import Vm, VmId, VmState
from appliance.vm_work import VmDeed
from tests.people import ADA

OURS, THEIRS = "0123456789abcdef", "fedcba9876543210"
MIB = 1 << 20


def vm(number=1, name="web1", **more):
    return Vm(VmId(f"00000000-0000-4000-8000-{number:012x}"), name, memory=64 * MIB, **more)


@dataclass
class VmWorld:
    store: object
    now: float = 1_795_200_000.0
    memories: dict = field(default_factory=dict)
    isos: dict = field(default_factory=dict)
    boot: str = "monday"

    def __post_init__(self):
        self.pools = PoolWorld(self.store, self.now)
        self.begin()

    def begin(self):
        """A daemon that has just started: nothing of the one before is in memory."""
        self.pools.begin()
        self.bus = self.pools.bus
        around = Around(
            Surroundings(OURS, self.memories), lambda: False, lambda: self.pools.rooms, self.discs, self.boot
        )
        self.parts = vm_parts(self.store, self.bus, self.clock, around)
        self.vms, self.watch = self.parts.vms, self.parts.watch
        kinds = {each.value: JobKind(self.parts.jobs.run, resumes=True, waits=True) for each in VmDeed}
        kinds |= {each.value: JobKind(self.of_pools, resumes=True, waits=True) for each in Deed}
        self.jobs = Jobs(self.store, self.bus, self.clock, kinds)

    async def of_pools(self, running):
        return await run_pool_job(self.pools.work, running)

    async def discs(self, key):
        return self.isos[key] if key in self.isos else await no_discs(key)

    @asynccontextmanager
    async def at_work(self):
        async with asyncio.TaskGroup() as group:
            loops = [group.create_task(each) for each in (self.pools.work.run(), self.jobs.run(), self.watch.run())]
            yield self
            for each in loops:
                each.cancel()

    async def ended(self, task):
        """As it ended."""
        with self.bus.subscribe() as subscription:
            while (found := await self.store.read(lambda db: tasks.get(db, task.id))).open:
                async with asyncio.timeout(20):
                    await subscription.get()
        return found

    async def until(self, kind, words):
        """The first event of the kind with these words in it."""
        with self.bus.subscribe() as subscription:
            while not (found := [each for each in await self.events(kind) if words in f"{each.text}: {each.reason}"]):
                async with asyncio.timeout(20):
                    await subscription.get()
        return found[0]

    async def known_volumes(self):
        found = await self.store.read(lambda db: pools.described(db)["volumes"])
        return {each.name: (each.use, each.of) for each in found}

    async def volumes(self, pool="fast"):
        return sorted(each.volume.name for each in (await self.pools.seen(pool)).volumes)

    def clock(self):
        return self.now

    async def host(self, name="one", **more):
        """A host of memory that is known."""
        self.memories[name] = Memory(self.clock, replace(HOST, name=name, **more))
        await self.vms.add_host(name, f"memory:///{name}", ADA)
        return self.memories[name]

    def put(self, host, new, state=VmState.OFF, owner=OURS):
        """A VM that is there already."""
        memory = self.memories[host]
        memory.kept[new.id] = Kept(owner, new)
        if state is not VmState.OFF:
            memory.put(new.id, state)
        return new

    async def state(self, key):
        return (await self.vms.get(key)).view.seen.state

    async def events(self, kind):
        found = await self.store.read(lambda db: events.query(db, limit=1000))
        return [event for event in reversed(found) if event.kind == kind]

    async def audited(self, action):
        found = await self.store.read(lambda db: page(db, audit.LISTING, Asked({"action": action})))
        return [audit.entry_of(row) for row in found.rows]

    async def works(self):
        return await self.store.read(vm_work.every)
