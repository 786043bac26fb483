"""The ``[[subnet]]`` sections of the configuration file: what stands in them, and what cannot be. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Interface, IPv4Network
from typing import Literal

from appliance.bootprogram import Choice
from appliance.dhcp_options import OptionError, read_options
from appliance.errors import ApplianceError

Complain = Callable[[str, str | None, str, str, int], ApplianceError]
"""(section, key, what is wrong, what is right, which of the sections) -> the error with its file and line."""


_PROXY = re.compile(r"http://([A-Za-z0-9](?:[A-Za-z0-9.-]{0,160}[A-Za-z0-9])?)(?::([0-9]{1,5}))?/?")


@dataclass(frozen=True, slots=True)
class SubnetSection:
    """``[[subnet]]``: one that an interface of ours is on, whose address and prefix are read from it; or one that only
    relays reach, with its ``network`` and ``relays``.
    """

    interface: str = ""
    """Beside ``network``: the interface on which the relays reach us; the first one that is served when left out."""
    network: str | None = None
    """Of a subnet that we are not on: ``10.78.0.0/24``."""
    relays: tuple[str, ...] = ()
    """Addresses of the relays (giaddr) that may speak for the subnet."""
    mode: Literal["authoritative", "proxy", "reservations", "off"] | None = None
    """None, as with the other rules: left out of the file, so that users may switch it at run time."""
    ranges: tuple[str, ...] = ()
    """``FIRST-LAST``, IPv4."""
    lease_seconds: int = 3600
    gateway: str | None = None
    """Of a subnet behind relays, the first relay in it when left out."""
    dns: tuple[str, ...] | None = None
    """Name servers for the clients; ourselves when left out and DNS is on."""
    ntp: tuple[str, ...] = ()
    unknown_machines: Literal["enlist", "local-disk", "ignore"] | None = None
    serve_non_pxe: bool | None = None
    boot_program: Choice | None = None
    """What firmware that can run it is sent first, such as ``shimx64.efi`` where all machines have Secure Boot on; the
    usual program when left out."""
    other_servers: Literal["refuse", "ignore"] | None = None
    """Whether addresses are given beside another DHCP server."""
    network_roots: Literal["trust", "ask"] | None = None
    """Whether machines with a root on the network get it that restart by themselves, or once somebody lets them in."""
    identify_by: Literal["mac", "client-id"] = "mac"
    """What makes two DHCP messages those of the same client."""
    leases_per_port: int | None = None
    """Addresses that one port of a relay (option 82) may have at the same time; any number when left out."""
    tftp_block_size: int = 1468
    """Most bytes in a TFTP block: what fits the smallest frame on the way to the clients, less 32 for the headers."""
    package_proxy: str = ""
    """HTTP proxy by which systems that are deployed there get their packages: ``http://10.77.0.3:3128``."""
    options: Mapping[str, str] = field(default_factory=dict)
    """``[subnet.options]``: DHCP options for every client that asks for them, by name or number."""

    @property
    def key(self) -> str:
        """What the subnet is called: its interface, or its network where it is behind relays."""
        return self.network or self.interface

    @property
    def router(self) -> str | None:
        """The gateway of its clients."""
        near = (each for each in self.relays if self.network and IPv4Address(each) in IPv4Network(self.network))
        return self.gateway or next(near, None)


def heard_on(section: SubnetSection, sections: Sequence[SubnetSection]) -> str:
    """The interface of ours that the messages of a subnet come in on; empty where there is none."""
    served = (each.interface for each in sections if each.interface and not each.network and each.mode != "off")
    return section.interface or next(served, "")


def interfaces_of(sections: Sequence[SubnetSection]) -> list[str]:
    """The interfaces whose addresses are needed."""
    served = (heard_on(each, sections) for each in sections if each.mode != "off")
    return list(dict.fromkeys(each for each in served if each))


def parse_range(text: str) -> tuple[IPv4Address, IPv4Address]:
    """First and last address of ``FIRST-LAST``; raises ValueError with what is wrong."""
    first_text, dash, last_text = text.partition("-")
    try:
        first, last = IPv4Address(first_text.strip()), IPv4Address(last_text.strip())
    except AddressValueError as error:
        raise ValueError(f"{text!r} is not FIRST-LAST with two IPv4 addresses") from error
    if not dash or last < first:
        raise ValueError(f"{text!r} ends before it begins")
    return first, last


def check_subnets(sections: Sequence[SubnetSection], complain: Complain) -> None:
    """Raise for the first thing that cannot be, as far as the file alone tells."""
    _check_interfaces(sections, complain)
    spans: list[tuple[IPv4Address, IPv4Address, str]] = []
    for index, section in enumerate(sections):
        for first, last, text in _ranges(section, index, complain):
            for other_first, other_last, other in spans:
                if first <= other_last and other_first <= last:
                    raise complain("subnet", "ranges", f"{text} overlaps {other}", "keep them apart", index)
            spans.append((first, last, text))
        _check_addresses(section, index, complain)
        _check_numbers(section, index, complain)
        _check_options(section, index, complain)
        _check_proxy(section, index, complain)
        if section.network:
            _check_remote(section, sections, index, complain)


def _check_interfaces(sections: Sequence[SubnetSection], complain: Complain) -> None:
    seen: set[str] = set()
    for index, section in enumerate(sections):
        if section.network:
            continue
        if not section.interface:
            right = 'add interface = "...", or network = "..." and relays = [...] where only relays reach it'
            raise complain("subnet", None, "lacks the key interface", right, index)
        if section.interface in seen:
            wrong = f"{section.interface!r} is served by an earlier [[subnet]] already"
            raise complain("subnet", "interface", wrong, "name each interface once", index)
        seen.add(section.interface)


def _ranges(section: SubnetSection, index: int, complain: Complain) -> Iterator[tuple[IPv4Address, IPv4Address, str]]:
    for text in section.ranges:
        try:
            yield *parse_range(text), text
        except ValueError as error:
            raise complain("subnet", "ranges", str(error), 'write "10.0.0.50-10.0.0.99"', index) from error


def _check_addresses(section: SubnetSection, index: int, complain: Complain) -> None:
    gateway = (section.gateway,) if section.gateway else ()
    lists = {"dns": section.dns or (), "ntp": section.ntp, "gateway": gateway, "relays": section.relays}
    for key, addresses in lists.items():
        for address in addresses:
            try:
                IPv4Address(address)
            except AddressValueError as error:
                wrong = f"{address!r} is not an IPv4 address"
                raise complain("subnet", key, wrong, "write it as 10.77.0.1", index) from error


def _check_numbers(section: SubnetSection, index: int, complain: Complain) -> None:
    if not 60 <= section.lease_seconds <= 31_536_000:
        raise complain("subnet", "lease_seconds", "is out of bounds", "60 to 31536000 seconds", index)
    if section.leases_per_port is not None and not 1 <= section.leases_per_port <= 65535:
        raise complain("subnet", "leases_per_port", "is out of bounds", "1 to 65535 addresses", index)
    if not 512 <= section.tftp_block_size <= 65464:
        raise complain("subnet", "tftp_block_size", "is out of bounds", "512 to 65464 bytes", index)


def _check_options(section: SubnetSection, index: int, complain: Complain) -> None:
    try:
        read = read_options(section.options, of_subnet=True)
    except OptionError as error:
        raise complain("subnet.options", error.name, error.wrong, error.right, index) from error
    if section.ntp and 42 in read:
        raise complain("subnet", "ntp", "stands beside ntp-servers among the options", "write one of the two", index)


def is_package_proxy(text: str) -> bool:
    """Whether it is an HTTP proxy, with nothing but host and port in it."""
    found = _PROXY.fullmatch(text)
    return found is not None and 1 <= int(found[2] or 80) <= 65535


def _check_proxy(section: SubnetSection, index: int, complain: Complain) -> None:
    if section.package_proxy and not is_package_proxy(section.package_proxy):
        wrong = f"{section.package_proxy[:80]!r} is no HTTP proxy"
        raise complain("subnet", "package_proxy", wrong, 'write it as "http://10.77.0.3:3128"', index)


def _check_remote(section: SubnetSection, sections: Sequence[SubnetSection], index: int, complain: Complain) -> None:
    network = _network(section.network or "", index, complain)
    if not section.relays:
        right = 'add relays = ["..."], the addresses of the relays that forward its DHCP messages'
        raise complain("subnet", "network", "needs the key relays beside it", right, index)
    if not heard_on(section, sections):
        right = 'add interface = "...", the interface of this computer on which the relays reach it'
        raise complain("subnet", "network", "is reached through no interface", right, index)
    if section.router is None or IPv4Address(section.router) not in network:
        wrong = "has no gateway in it: its machines reach us through one only"
        raise complain("subnet", "network", wrong, f"add gateway, an address in {network}", index)
    for text in section.ranges:
        if not all(each in network for each in parse_range(text)):
            raise complain("subnet", "ranges", f"{text} is outside {network}", "choose a range in it", index)
    for other in sections[:index]:
        if other.network and IPv4Network(other.network).overlaps(network):
            raise complain("subnet", "network", f"{network} overlaps {other.network}", "keep them apart", index)


def _network(text: str, index: int, complain: Complain) -> IPv4Network:
    try:
        network = IPv4Network(text)
    except ValueError as error:
        wrong = f"{text!r} is not a network"
        raise complain("subnet", "network", wrong, 'write it as "10.78.0.0/24"', index) from error
    if str(network) != text or not 8 <= network.prefixlen <= 30:
        right = f'write it as "{network}"' if str(network) != text else "8 to 30 bits of it are the network's"
        raise complain("subnet", "network", f"{text!r} cannot be used", right, index)
    return network


def check_networks(
    sections: Sequence[SubnetSection], interfaces: Mapping[str, IPv4Interface], complain: Complain
) -> None:
    """Raise for the first thing that cannot be with these addresses of our interfaces.

    Sections of interfaces that are not among these are left alone.
    """
    for index, section in enumerate(sections):
        address = interfaces.get(section.interface) if not section.network else None
        if address is None:
            continue
        for text in section.ranges:
            if not all(each in address.network for each in parse_range(text)):
                wrong = f"{text} is outside {address.network}"
                hint = f"{section.interface} has {address}; choose a range in that network"
                raise complain("subnet", "ranges", wrong, hint, index)
        for other, each in enumerate(sections):
            if each.network and each.mode != "off" and IPv4Network(each.network).overlaps(address.network):
                wrong = f"{each.network} is where {section.interface} is, which has {address}"
                raise complain("subnet", "network", wrong, "leave out what relays do not need to reach", other)
