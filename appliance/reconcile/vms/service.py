"""Virtual machines for whoever shows them or asks something of them: the one door to this room."""

import socket
from collections.abc import Iterable, Sequence

from appliance.accounts import Asker
from appliance.hypervisor.consoles import ConsoleKind
from appliance.hypervisor.driver import HostDriver
from appliance.hypervisor.shutting_down import PATIENCE
from appliance.reconcile.consequences import Consequences
from appliance.reconcile.vms.host_rooms import HostRooms
from appliance.reconcile.vms.host_wishes import HostWishes
from appliance.reconcile.vms.looking import Looking
from appliance.reconcile.vms.orders import Orders
from appliance.reconcile.vms.shown import Everything, HostView, VmDetail, VmView
from appliance.reconcile.vms.wish import DiskWish, VmChange, VmWish
from appliance.reconcile.vms.wishes import VmWishes
from appliance.task import Task
from appliance.vm import Order, VmId


class Vms:
    """``key`` is the id or the name of a VM, or the name or the number of a host. ``by`` is who asked.

    Raises Invalid, NotFound, Conflict, and ApplianceError ``host-unreachable``, ``host-refused``, ``vm-failed``,
    ``libvirt-missing`` with what a host said.
    """

    def __init__(self, rooms: HostRooms, looking: Looking, orders: Orders, hosts: HostWishes, wishes: VmWishes) -> None:
        self._rooms, self._looking, self._orders = rooms, looking, orders
        self._hosts, self._wishes = hosts, wishes

    # -- looking

    async def hosts(self) -> list[HostView]:
        """All hosts, the appliance first; one that does not answer with the VMs that it last had."""
        return await self._looking.hosts()

    async def host(self, key: str) -> HostView:
        """One of them; raises NotFound ``vm-host-unknown``."""
        return await self._looking.host(await self._rooms.get(key))

    async def list(self) -> Everything:
        """All VMs with the states in which they are, by one question to each host."""
        return await self._looking.everything()

    async def get(self, key: str) -> VmDetail:
        """One VM with its definitions, as it is now; raises NotFound ``vm-unknown``, Conflict ``vm-ambiguous``."""
        return await self._looking.get(key)

    async def find(self, key: str) -> VmView:
        """The same as it is in the list; also where its host does not answer, or it is being made."""
        return await self._looking.find(key)

    async def needing_restart(self, views: Iterable[VmView]) -> dict[VmId, tuple[str, ...]]:
        """The fields that a restart would change, of those that run and have such; for a page of them, not for all."""
        return await self._looking.needing_restart(views)

    async def with_disc(self, path: str) -> Sequence[str]:
        """Names of the VMs that have this file in a drive; raises ApplianceError ``host-unreachable``."""
        return await self._looking.with_disc(path)

    async def reach(self, key: str) -> tuple[VmView, HostDriver]:
        """One VM and the host that it is on, for its screen, its serial line, its figures; raises as ``get``."""
        view = await self._looking.find(key)
        return view, self._rooms.driver(view.host)

    async def open_console(self, key: str, kind: ConsoleKind) -> socket.socket:
        """A connection to its screen or serial line; raises as ``Consoles.open`` besides."""
        return await self._looking.open_console(await self._looking.find(key), kind)

    # -- hosts

    async def add_host(self, name: str, address: str, by: Asker) -> HostView:
        """Known once it has answered; raises Invalid ``host-name``, ``host-address``, Conflict ``host-taken``."""
        return await self._hosts.add(name, address, by)

    async def remove_host(self, key: str, by: Asker) -> None:
        """Its VMs run on; raises Conflict ``host-own``, ``host-busy``."""
        await self._hosts.remove(key, by)

    # -- VMs

    async def create(self, wish: VmWish, by: Asker) -> Task:
        """Makes its volumes, then its definition. Its arguments have the ``vm``.

        Raises Invalid as ``checked`` and ``check_possible``; Conflict ``name-taken``, ``host-none-fits``,
        ``host-no-pools``, ``pool-none``, ``pool-too-small``, ``volume-taken``; NotFound for what is named and is not
        there.
        """
        return await self._wishes.create(wish, by)

    async def change(self, key: str, change: VmChange, revision: str, by: Asker) -> None:
        """Its stored definition; ``Found.needs_restart`` says what a VM that runs gets at a restart only.

        ``revision``: ``revision_of`` the definition that was shown; empty: whatever it is now. Raises Conflict
        ``vm-changed``, ``vm-busy``, ``vm-state``, ``vm-foreign``, ``name-taken``; Invalid as ``create``.
        """
        await self._wishes.change(key, change, revision, by)

    async def add_disk(self, key: str, wish: DiskWish, by: Asker) -> Task:
        """One more, which a VM that runs sees after its next start. Raises as ``create`` and ``change``."""
        return await self._wishes.add_disk(key, wish, by)

    async def order(self, key: str, order: Order, by: Asker) -> None:
        """Done once this returns. Raises Conflict ``vm-state``, ``vm-foreign``, ``vm-busy``."""
        await self._orders.order(key, order, by)

    async def shut_down(self, key: str, by: Asker, patience: float = PATIENCE) -> Task:
        """Its agent is asked, then its button pressed; after ``patience`` seconds it is switched off.

        The task says when. Raises Conflict ``vm-state``, ``vm-foreign``, ``vm-busy``; Invalid ``vm-patience``.
        """
        return await self._wishes.shut_down(key, by, patience)

    async def delete(self, key: str, confirm: str | None, by: Asker, *, with_disks: bool) -> Task:
        """Switched off, then gone; with the volumes that are its own, or without. Confirmed by its name.

        Raises Conflict ``vm-refused``, ``confirmation-needed``, ``vm-busy``.
        """
        return await self._wishes.delete(key, confirm, by, with_disks=with_disks)

    async def delete_consequences(self, key: str, *, with_disks: bool) -> Consequences:
        """What that would mean."""
        return await self._wishes.delete_consequences(key, with_disks=with_disks)
