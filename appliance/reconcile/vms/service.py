"""Virtual machines for whoever shows them or asks something of them: the one door to this room."""

from appliance.accounts import Asker
from appliance.reconcile.vms.host_wishes import HostWishes
from appliance.reconcile.vms.looking import Looking
from appliance.reconcile.vms.orders import Orders
from appliance.reconcile.vms.shown import Everything, HostView, VmDetail
from appliance.vm import Order


class Vms:
    """``key`` is the id or the name of a VM, or the name or the number of a host. ``by`` is who asked.

    Raises Invalid, NotFound, Conflict, and ApplianceError ``host-unreachable``, ``host-refused``, ``vm-failed``,
    ``libvirt-missing`` with what a host said.
    """

    def __init__(self, looking: Looking, orders: Orders, hosts: HostWishes) -> None:
        self._looking, self._orders, self._hosts = looking, orders, hosts

    # -- looking

    async def hosts(self) -> list[HostView]:
        """All hosts, the appliance first; one that does not answer with the VMs that it last had."""
        return await self._looking.hosts()

    async def list(self) -> Everything:
        """All VMs with the states in which they are, by one question to each host."""
        return await self._looking.everything()

    async def get(self, key: str) -> VmDetail:
        """One VM with its definitions, as it is now; raises NotFound ``vm-unknown``."""
        return await self._looking.get(key)

    # -- hosts

    async def add_host(self, name: str, address: str, by: Asker) -> HostView:
        """Known once it has answered; raises Invalid ``host-name``, ``host-address``, Conflict ``host-taken``."""
        return await self._hosts.add(name, address, by)

    async def remove_host(self, key: str, by: Asker) -> None:
        """Its VMs run on; raises Conflict ``host-own``, ``host-busy``."""
        await self._hosts.remove(key, by)

    # -- VMs

    async def order(self, key: str, order: Order, by: Asker) -> None:
        """Done once this returns. Raises Conflict ``vm-state``, ``vm-foreign``, ``vm-busy``."""
        await self._orders.order(key, order, by)
