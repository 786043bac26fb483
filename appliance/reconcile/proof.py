"""Whether a request for a boot script comes from the machine that it names. Pure."""

from collections.abc import Callable, Sequence
from ipaddress import AddressValueError, IPv4Address

from appliance.machine import MacAddress, MachineId
from appliance.netboot.dhcp.subnet import Subnet


class Proof:
    """By address: ours to give on an authoritative subnet, so that a request is as good as the lease behind it."""

    def __init__(
        self,
        subnets: Sequence[Subnet],
        holder: Callable[[IPv4Address], str | None],
        machine_of: Callable[[MacAddress], MachineId | None],
    ) -> None:
        """``holder`` says which interface was leased an address last, ``machine_of`` whose an interface is."""
        self._subnets, self._holder, self._machine_of = subnets, holder, machine_of

    def __call__(self, mac: MacAddress, address: str, server: str) -> bool:
        """Whether ``address`` is that of this interface, or of another one of its machine.

        ``server`` is our own address that was asked. Where somebody else gives addresses there is nothing to compare
        with, and everybody is believed.
        """
        try:
            peer = IPv4Address(address)
        except AddressValueError:
            return False
        if not self._are_ours(peer, server):
            return True
        holder = self._holder(peer)
        if holder is None or holder == mac:
            return holder == mac
        # A computer with two interfaces on one subnet may ask through the other one.
        machine = self._machine_of(MacAddress(holder))
        return machine is not None and machine == self._machine_of(mac)

    def _are_ours(self, peer: IPv4Address, server: str) -> bool:
        """Whether we gave the addresses where the request comes from; by it first, since any of ours can be asked."""
        near = next((each for each in self._subnets if peer in each.network), None)
        subnet = near or next((each for each in self._subnets if str(each.address.ip) == server), None)
        return subnet is None or subnet.mode == "authoritative"
