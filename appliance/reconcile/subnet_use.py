"""How many addresses of each range are free. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.lease import Lease, LeaseState
from appliance.netboot.dhcp.subnet import AddressRange, Subnet


@dataclass(frozen=True, slots=True)
class RangeUse:
    """Addresses of one range; ``size`` is the sum of the three counts."""

    first: str
    last: str
    size: int
    leased: int
    """Leased now, or set aside since a stranger uses them."""
    reserved: int
    """Kept for somebody who is not leased them now."""
    free: int


def use_of(
    subnet: Subnet, held: Iterable[tuple[str, IPv4Address]], reserved: Iterable[IPv4Address]
) -> tuple[RangeUse, ...]:
    """The use of each range of the subnet; ``held``: addresses that nobody else may get, with interface."""
    here = {address for interface, address in held if interface == subnet.interface}
    kept = set(reserved) - here
    return tuple(_use(subnet, each, here, kept) for each in subnet.ranges)


def is_held(lease: Lease, now: float) -> bool:
    """Whether nobody else may get the address now."""
    return lease.state in (LeaseState.BOUND, LeaseState.DECLINED) and lease.end > now


def _use(subnet: Subnet, of: AddressRange, held: set[IPv4Address], kept: set[IPv4Address]) -> RangeUse:
    special = {subnet.address.ip, subnet.gateway, *subnet.dns, *subnet.ntp}
    network = subnet.network
    special |= {network.network_address, network.broadcast_address} if network.prefixlen < 31 else set()
    size = int(of.last) - int(of.first) + 1 - sum(1 for each in special if each is not None and each in of)
    leased = sum(1 for each in held if subnet.assignable(each) and each in of)
    reserved = sum(1 for each in kept if subnet.assignable(each) and each in of)
    return RangeUse(str(of.first), str(of.last), size, leased, reserved, max(0, size - leased - reserved))
