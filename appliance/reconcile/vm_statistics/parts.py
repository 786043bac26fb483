"""What samples VMs and shows it, tied together; built once there is a host, or somebody asks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from appliance.events import Bus
from appliance.hypervisor.driver import HostDriver
from appliance.reconcile.vm_statistics.figures import VmFigures
from appliance.reconcile.vm_statistics.sampling import Sampling
from appliance.reconcile.vms.host_rooms import HostRooms
from appliance.reconcile.vms.service import Vms
from appliance.store.store import Store


@dataclass(frozen=True, slots=True)
class FigureParts:
    """All of it."""

    sampling: Sampling
    figures: VmFigures


def figure_parts(store: Store, bus: Bus, clock: Callable[[], float], rooms: HostRooms, vms: Vms) -> FigureParts:
    """Nothing is sampled before ``sampling`` runs, and then hosts of which something is kept."""

    async def hosts() -> Mapping[str, HostDriver]:
        return {host.name: rooms.driver(host) for host in await rooms.known() if host.id}

    sampling = Sampling(store, bus, clock, hosts)
    return FigureParts(sampling, VmFigures(store, sampling, vms.reach, clock))
