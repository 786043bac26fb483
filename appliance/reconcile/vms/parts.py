"""What works with VMs, tied together; built once there is a host, or somebody asks."""

from collections.abc import Callable
from dataclasses import dataclass

from appliance.errors import NotFound
from appliance.events import Bus
from appliance.hypervisor.build import Surroundings
from appliance.reconcile.pool_rooms import Rooms
from appliance.reconcile.vms.autostart import Autostarting
from appliance.reconcile.vms.conducting import Conducting
from appliance.reconcile.vms.deleting import Deleting
from appliance.reconcile.vms.disk_volumes import DiskVolumes
from appliance.reconcile.vms.host_rooms import HostRooms
from appliance.reconcile.vms.host_wishes import HostWishes
from appliance.reconcile.vms.jobs import VmJobs
from appliance.reconcile.vms.looking import Looking
from appliance.reconcile.vms.making import Making
from appliance.reconcile.vms.orders import Orders
from appliance.reconcile.vms.service import Vms
from appliance.reconcile.vms.watch import VmWatch
from appliance.reconcile.vms.wishes import Chances, Discs, VmWishes
from appliance.reconcile.vms.works import Works
from appliance.store.store import Store


@dataclass(frozen=True, slots=True)
class VmParts:
    """All of it."""

    rooms: HostRooms
    vms: Vms
    jobs: VmJobs
    watch: VmWatch
    autostarting: Autostarting


@dataclass(frozen=True, slots=True)
class Around:
    """What it needs of other rooms."""

    hosts: Surroundings
    own: Callable[[], bool]
    """Whether the appliance's own computer has a libvirt."""
    pools: Callable[[], Rooms]
    discs: Discs
    boot: str = ""
    """The identifier of the computer's start."""
    chances: Chances | None = None


async def no_discs(key: str) -> str:
    """Where there are no ISOs."""
    raise NotFound("iso-unknown", f"there is no ISO {key[:80]!r}", "bring one first", "cdroms")


def vm_parts(store: Store, bus: Bus, clock: Callable[[], float], around: Around) -> VmParts:
    """Nothing is opened."""
    rooms = HostRooms(store, clock, around.hosts, around.own)
    looking, works = Looking(rooms), Works(rooms, bus)
    volumes, orders = DiskVolumes(store, clock, around.pools), Orders(rooms, looking, bus)
    making, deleting = Making(rooms, looking, volumes, works), Deleting(rooms, looking, volumes, works)
    jobs = VmJobs(store, looking, works, making, deleting, Conducting(rooms, looking, works, bus))
    wishes = VmWishes(rooms, looking, volumes, works, bus, around.discs, around.chances)
    return VmParts(
        rooms=rooms,
        vms=Vms(rooms, looking, orders, HostWishes(rooms, looking, bus), wishes),
        jobs=jobs,
        watch=VmWatch(rooms, looking, jobs, bus),
        autostarting=Autostarting(rooms, looking, orders, bus, around.boot),
    )
