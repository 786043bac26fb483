"""Subnets that machines are served on, against the networks as they are or are to be. Pure.

One that does not fit is set aside: it is not served, and everything else is. Networks are changed while the
configuration stays, and an address of DHCP comes when it comes; a daemon that ended for that would take the console
away with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from appliance.networking.follow import moves
from appliance.networking.layout import Interface, Layout
from appliance.networking.render import hardware_address

Have = Mapping[str, IPv4Interface | None]
"""The interfaces that there are, with the first IPv4 address of each."""
Live = Mapping[str, Sequence[str]]
"""The addresses that interfaces have at this moment, with prefixes."""


@dataclass(frozen=True, slots=True)
class Served:
    """A subnet of the configuration, as far as networks matter to it."""

    subnet: str
    """What it is called: an interface, or a network behind relays."""
    interface: str
    """On which its machines or relays are heard."""
    ranges: tuple[tuple[IPv4Address, IPv4Address], ...] = ()
    """First and last address of each."""
    remote: IPv4Network | None = None
    """The network of one that only relays reach."""


@dataclass(frozen=True, slots=True)
class Aside:
    """A subnet that cannot be served as the networks are."""

    subnet: str
    why: str
    hint: str

    @property
    def text(self) -> str:
        """Both, as one sentence without its end."""
        return f"{self.why}; {self.hint}"


def misfit(of: Served, every: Sequence[Served], have: Have) -> Aside | None:
    """Why a subnet cannot be served; None where it can."""
    if of.interface not in have:
        there = ", ".join(sorted(each for each in have if each != "lo")) or "none"
        return Aside(of.subnet, f"there is no such interface as {of.interface}", f"this computer has {there}")
    address = have[of.interface]
    if address is None:
        hint = "give it one, or see why DHCP gives it none"
        return Aside(of.subnet, f"{of.interface} has no IPv4 address", hint)
    if of.remote is not None:
        return _overlap(of, of.remote, every, have)
    for first, last in of.ranges:
        if first not in address.network or last not in address.network:
            hint = f"{of.interface} has {address}: give it an address in their network, or choose other ranges"
            return Aside(of.subnet, f"{first}-{last} is outside {address.network}", hint)
    return None


def _overlap(of: Served, network: IPv4Network, every: Sequence[Served], have: Have) -> Aside | None:
    """Nobody is behind relays in a network that we are on ourselves."""
    for name in dict.fromkeys(each.interface for each in every if each.remote is None):
        address = have.get(name)
        if address is not None and address.network.overlaps(network):
            why = f"{network} is where {name} is, which has {address}"
            return Aside(of.subnet, why, "leave out what relays do not need to reach")
    return None


def ended_by(every: Sequence[Served], old: Layout, new: Layout, live: Live) -> dict[str, str]:
    """Subnets that are served on ``old`` and would not be on ``new``, and why; ``live`` is how it is at this moment."""
    moved, before = moves(old, new), _have(old, live)
    after = [replace(each, interface=moved.get(each.interface, each.interface)) for each in every]
    to_come = _have(new, _leases(old, new, moved, live))
    found = {
        of.subnet: _why(then, after, old, new, to_come)
        for of, then in zip(every, after, strict=True)
        if misfit(of, every, before) is None
    }
    return {subnet: why for subnet, why in found.items() if why}


def _why(then: Served, after: Sequence[Served], old: Layout, new: Layout, to_come: Have) -> str:
    interface = new.named(then.interface)
    if interface is not None and interface.method == "dhcp" and to_come[interface.name] is None:
        return f"{interface.name} asks for an address by DHCP, and nobody can tell whether one comes that fits"
    if wrong := misfit(then, after, to_come):
        return wrong.why
    if old.with_role("provisioning") and interface is not None and "provisioning" not in interface.roles:
        return f"{interface.name} is not for provisioning then, and the firewall lets no machine in"
    return ""


def _have(layout: Layout, live: Live) -> dict[str, IPv4Interface | None]:
    """Every interface of a layout with the first IPv4 address that it has there, as far as that is known."""
    return {each.name: _first(each.addresses if each.method == "static" else live.get(each.name, ()), each)
            for each in layout.interfaces}  # fmt: skip


def _first(addresses: Sequence[str], of: Interface) -> IPv4Interface | None:
    found = (IPv4Interface(each) for each in addresses if ":" not in each)
    return None if of.method == "none" else next(found, None)


def _leases(old: Layout, new: Layout, moved: Mapping[str, str], live: Live) -> dict[str, Sequence[str]]:
    """Addresses of DHCP that stay through a change: a lease goes to the MAC address that asked for it."""
    stay: dict[str, Sequence[str]] = {}
    for before in old.interfaces:
        after = new.named(moved.get(before.name, before.name))
        if after is None or (before.method, after.method) != ("dhcp", "dhcp"):
            continue
        if (hardware_address(old, before), before.tag) == (hardware_address(new, after), after.tag):
            stay[after.name] = live.get(before.name, ())
    return stay
