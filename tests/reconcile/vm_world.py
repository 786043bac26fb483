"""Hosts of memory over a real store, with pools of memory; the daemon may be killed and started again."""

from dataclasses import dataclass, field, replace

from pool_world import PoolWorld

from appliance.hypervisor.build import Surroundings
from appliance.hypervisor.memory import HOST, Kept, Memory
from appliance.reconcile.vms.host_rooms import HostRooms
from appliance.reconcile.vms.host_wishes import HostWishes
from appliance.reconcile.vms.looking import Looking
from appliance.reconcile.vms.orders import Orders
from appliance.reconcile.vms.service import Vms
from appliance.store import audit, events, vm_work
from appliance.store.listing import Asked, page
from appliance.vm import Vm, VmId, VmState
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

    def __post_init__(self):
        self.pools = PoolWorld(self.store, self.now)
        self.begin()

    def begin(self):
        """A daemon that has just started: nothing of the one before is in memory."""
        self.pools.begin()
        self.bus = self.pools.bus
        self.rooms = HostRooms(self.store, self.clock, Surroundings(OURS, self.memories), lambda: False)
        self.looking = Looking(self.rooms)
        orders, hosts = Orders(self.rooms, self.looking, self.bus), HostWishes(self.rooms, self.looking, self.bus)
        self.vms = Vms(self.looking, orders, hosts)

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
