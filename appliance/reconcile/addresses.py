"""Addresses that users keep for machines: which may be kept, and what the DHCP server is told of them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address

from appliance.errors import Conflict, Invalid
from appliance.lease import Lease, LeaseState, Reservation
from appliance.machine import MacAddress, Machine
from appliance.netboot.dhcp.subnet import Subnet

FIELD = "reserved_address"


def check_address(text: str, machine: Machine, others: Iterable[Machine], subnets: Sequence[Subnet]) -> str:
    """The address as it is stored.

    Raises Invalid where no subnet could ever lease it, Conflict where it is kept for one of ``others``.
    """
    kept = {other.reserved_address: other.name for other in others if other.reserved_address and other.id != machine.id}
    return check_reservable(text, kept, subnets, FIELD)


def check_reservable(text: str, holders: Mapping[str, str], subnets: Sequence[Subnet], field: str) -> str:
    """The address as it is stored; ``holders`` says for whom each reserved address is kept already.

    Raises Invalid where no subnet could ever lease it, Conflict where it is kept for one of them.
    """
    try:
        address = IPv4Address(text.strip())
    except AddressValueError as error:
        hint = "write it as 10.77.0.117"
        raise Invalid("address-invalid", f"{text[:40]!r} is not an IPv4 address", hint, field) from error
    objection, hint = _objection(address, subnets)
    if objection:
        raise Invalid("address-invalid", f"{address}: {objection}", hint, field)
    if (holder := holders.get(str(address))) is not None:
        hint = f"choose another one, or take it from {holder} first"
        raise Conflict("address-taken", f"{address} is reserved for {holder}", hint, field)
    return str(address)


def check_unheld(
    address: str, machine: Machine, others: Iterable[Machine], leases: Iterable[Lease], now: float
) -> None:
    """Raise Conflict where an interface of another machine, or of nobody's, is leased the address at this Unix time.

    The reservation would have its next renewal refused, and cut a system off that runs.
    """
    check_unheld_by_others(address, machine.macs, others, leases, now, FIELD)


def check_unheld_by_others(
    address: str, macs: Sequence[str], others: Iterable[Machine], leases: Iterable[Lease], now: float, field: str
) -> None:
    """The same for these interfaces, whether or not they are those of a machine."""
    for lease in leases:
        held = lease.state is LeaseState.BOUND and lease.end > now and str(lease.address) == address
        if held and lease.mac not in macs:
            holder = next((other.name for other in others if lease.mac in other.macs), lease.mac)
            hint = f"choose another one, or shut {holder} down and wait until its lease has ended"
            raise Conflict("address-in-use", f"{address} is leased to {holder} now", hint, field)


def _objection(address: IPv4Address, subnets: Sequence[Subnet]) -> tuple[str, str]:
    """Why no subnet leases this address to one machine, and what would do; empty where one does."""
    served = ", ".join(str(subnet.network) for subnet in subnets)
    subnet = next((each for each in subnets if address in each.network), None)
    if subnet is None:
        return "that is in no subnet that is served", f"choose one in {served}" if served else "add a [[subnet]]"
    return subnet.objection(address), f"choose another one in {subnet.network}"


def reservations(machines: Iterable[Machine]) -> list[Reservation]:
    """What the DHCP server has to know. Names go by DNS: a host name of ours would rename systems that have one."""
    kept = [(boot_interface(machine), machine.reserved_address) for machine in machines]
    return [Reservation(mac, IPv4Address(address)) for mac, address in kept if mac and address]


def boot_interface(machine: Machine) -> MacAddress | None:
    """The interface that the machine booted from last, as its inventory says, else the first that was seen.

    One only: two interfaces of one machine must not take turns at one address.
    """
    said = (machine.inventory or {}).get("boot_mac")
    return next((mac for mac in machine.macs if mac == said), next(iter(machine.macs), None))


def troubles(machines: Iterable[Machine], subnets: Sequence[Subnet], others: Sequence[Reservation] = ()) -> list[str]:
    """What the configuration makes of reservations without anybody being told, in sentences.

    ``others`` are those of what is no machine.
    """
    kept = [(machine, IPv4Address(machine.reserved_address)) for machine in machines if machine.reserved_address]
    found = []
    for machine, address in kept:
        objection, _ = _objection(address, subnets)
        if objection:
            found.append(f"{address} cannot be leased to {machine.name}, for which it is reserved: {objection}")
    every = [*(address for _, address in kept), *(each.address for each in others)]
    for subnet in subnets:
        if subnet.mode == "reservations" and not any(address in subnet.network for address in every):
            found.append(f"nobody gets an address on {subnet.interface}: none of its addresses is reserved")
    return found
