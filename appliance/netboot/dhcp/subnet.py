"""One subnet that we serve, on an interface of ours or behind relays (pure)."""

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Literal

Mode = Literal["authoritative", "proxy", "reservations", "off"]
UnknownMachines = Literal["enlist", "local-disk", "ignore"]
NetworkRoots = Literal["trust", "ask"]
"""Of machines with a root on the network that restart by themselves: let them have it, or once somebody says so."""
OtherServers = Literal["refuse", "ignore"]
"""Of another DHCP server, where we are to give the addresses: give none beside it, or do."""

IdentifyBy = Literal["mac", "client-id"]
"""What makes two messages those of the same client."""

HTTP_PORT = 80


@dataclass(frozen=True, slots=True)
class AddressRange:
    """Addresses from `first` to `last`, both included."""

    first: IPv4Address
    last: IPv4Address

    def __contains__(self, address: IPv4Address) -> bool:
        return self.first <= address <= self.last


@dataclass(frozen=True, slots=True)
class Subnet:
    """One subnet and its rules, from the configuration and the address of the interface."""

    interface: str
    """The interface of ours that is on it; of one that only relays reach, the network itself: ``10.78.0.0/24``."""
    address: IPv4Interface
    """Our own address with the prefix: server identifier, boot server, host part of boot URLs."""
    mode: Mode = "authoritative"
    ranges: tuple[AddressRange, ...] = ()
    lease_seconds: int = 3600
    gateway: IPv4Address | None = None
    dns: tuple[IPv4Address, ...] = ()
    ntp: tuple[IPv4Address, ...] = ()
    domain: str = ""
    unknown_machines: UnknownMachines = "enlist"
    serve_non_pxe: bool = True
    """Whether computers get an address that are neither network-booting nor known to us."""
    other_servers: OtherServers = "refuse"
    network_roots: NetworkRoots = "ask"
    boot_program: str = ""
    """The boot program that firmware is sent first, where it can run it; empty for the usual one."""
    boot_port: int = HTTP_PORT
    """TCP port of the boot files' HTTP server on `address`."""
    remote: IPv4Network | None = None
    """The network of a subnet that only relays reach; `address` is then in another one."""
    through: str = ""
    """The interface of ours on which relays reach us, where the subnet has none of its own."""
    relays: tuple[IPv4Address, ...] = ()
    """Addresses (giaddr) of the relays that may speak for the subnet; none: any that names it."""

    leases_per_port: int | None = None
    """Addresses that one port of a relay may have at the same time; None for any number."""
    identify_by: IdentifyBy = "mac"
    options: tuple[tuple[int, bytes], ...] = ()
    """Code and octets of further DHCP options, for clients that ask for them."""
    written_options: tuple[tuple[str, str], ...] = ()
    """The same as they were written, name and value."""
    network: IPv4Network = field(init=False, repr=False, compare=False)
    """The network that the clients are in."""
    _numbers: tuple[range, ...] = field(init=False, repr=False, compare=False)
    """`ranges` as numbers: each packet asks about several addresses, and comparing numbers is ten times as fast."""
    _whole: range = field(init=False, repr=False, compare=False)
    """All addresses of the network as numbers."""
    _not_given: frozenset[int] = field(init=False, repr=False, compare=False)
    """Those of the network that no machine can have."""

    def __post_init__(self) -> None:
        network = self.address.network if self.remote is None else self.remote
        object.__setattr__(self, "network", network)
        whole = range(int(network.network_address), int(network.broadcast_address) + 1)
        object.__setattr__(self, "_whole", whole)
        ends = () if network.prefixlen >= 31 else (network.network_address, network.broadcast_address)
        numbers = tuple(range(int(each.first), int(each.last) + 1) for each in self.ranges)
        object.__setattr__(self, "_numbers", numbers)
        object.__setattr__(self, "_not_given", frozenset(map(int, filter(None, (*self._services(), *ends)))))

    @property
    def heard_on(self) -> str:
        """The interface of ours that its messages come in on."""
        return self.through or self.interface

    def seen_from(self, ours: IPv4Address) -> "Subnet":
        """The subnet as it is served to who reaches us at `ours`: behind relays that is where its clients come to."""
        if self.remote is None or ours == self.address.ip:
            return self
        return replace(self, address=IPv4Interface((ours, 32)))

    def relayed_by(self, relay: IPv4Address) -> bool:
        """Whether this relay may speak for the subnet."""
        return not self.relays or relay in self.relays

    @property
    def boot_url(self) -> str:
        """Start of every boot URL, without a slash at the end."""
        port = "" if self.boot_port == HTTP_PORT else f":{self.boot_port}"
        return f"http://{self.address.ip}{port}"

    def in_range(self, address: IPv4Address) -> bool:
        """Whether the address is one that any machine may get."""
        number = int(address)
        for each in self._numbers:  # no any(): a generator takes longer than the question
            if number in each:
                return number in self._whole and number not in self._not_given
        return False

    def assignable(self, address: IPv4Address) -> bool:
        """Whether the address can be a machine's: in the network, not special, not in use by a service."""
        number = int(address)
        return number in self._whole and number not in self._not_given

    def __contains__(self, address: IPv4Address) -> bool:
        """Whether the address is in the network."""
        return int(address) in self._whole

    def objection(self, address: IPv4Address) -> str:
        """Why an address of this network cannot be kept for one machine; empty when it can."""
        network = self.network
        if self.mode == "off":
            return f"no addresses are given on {self.interface}: its mode is off"
        if self.mode == "proxy":
            return f"another server gives the addresses on {self.interface}"
        if address == self.address.ip:
            return "this appliance itself has that address"
        if address in self._services():
            return f"that address is a gateway, name server or time server of {self.interface}"
        if not self.assignable(address):
            which = "network address" if address == network.network_address else "broadcast address"
            return f"that is the {which} of {network}"
        return ""

    def _services(self) -> tuple[IPv4Address | None, ...]:
        return (self.address.ip, self.gateway, *self.dns, *self.ntp)
