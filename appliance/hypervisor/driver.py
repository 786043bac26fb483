"""The one seam of hosts of VMs. Every driver passes tests/contract/test_hypervisor_contract.py."""

from collections.abc import Callable
from typing import Protocol

from appliance.hypervisor.consoles import Consoles
from appliance.hypervisor.media import Media
from appliance.hypervisor.screenshots import Screenshots
from appliance.hypervisor.statistics import Statistics
from appliance.vm import Order, Vm, VmId
from appliance.vm_host import Change, Found, Host, Seen

Hears = Callable[[Change], None]
"""Told in the event loop's thread that something is to be looked at again."""


class HostDriver(Statistics, Screenshots, Protocol):
    """One host. Nothing of what was seen is kept between two calls.

    What is not this appliance's is seen, and never changed: Conflict ``vm-foreign``. A call may be cut off anywhere, by
    a killed daemon or host, and repeated: what is as it was asked for is done. No call waits for ever, and none leaves
    anything locked. Besides what is said below, each raises ApplianceError ``host-unreachable`` where the host does not
    answer in time, ``host-refused`` where it does not let us in, ``vm-failed`` with what it said; NotFound
    ``vm-unknown``; Conflict ``vm-busy`` where the host does something else with that VM.
    """

    @property
    def consoles(self) -> Consoles:
        """Screens and serial lines of its VMs."""
        ...

    @property
    def media(self) -> Media:
        """Discs in the drives of its VMs."""
        ...

    async def look(self) -> Host:
        """What the host is and can do."""
        ...

    async def vms(self) -> tuple[Seen, ...]:
        """All VMs with the state in which they are, by their names; others' too."""
        ...

    async def read(self, key: VmId) -> Found:
        """One VM with its definitions; others' too."""
        ...

    async def define(self, vm: Vm, was: Vm | None = None) -> None:
        """Store the definition of a new VM, or change that of one of ours; what runs is as it was.

        ``was``: what was stored when the change was thought of. Raises Conflict ``vm-changed`` where that is not so any
        more, ``name-taken``, ``vm-state`` for another name of a VM that is not off; and as ``checked``.
        """
        ...

    async def order(self, key: VmId, order: Order) -> None:
        """Carried out when this returns, but for what asks the VM's own system: that takes its time, or does nothing.

        Raises Conflict ``vm-state``, and ``vm-agent-silent`` where no agent in the VM answers.
        """
        ...

    async def undefine(self, key: VmId) -> None:
        """Its definition, firmware variables and TPM are gone; volumes are not touched. No mistake where it is gone.

        Raises Conflict ``vm-state`` for one that is not off.
        """
        ...

    async def watch(self, hears: Hears) -> None:
        """Tell of changes, whoever makes them, until cancelled; also when the host is lost, and when it is back.

        A change that is missed costs time and no more: whoever listens looks by itself now and then.
        """
        ...

    async def close(self) -> None:
        """Let go of the host; its VMs run on. A call that is stuck keeps nobody waiting."""
        ...
