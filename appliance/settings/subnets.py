"""The subnets of a flashed appliance's configuration file: one more, one changed, one taken away."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from appliance.config import parse
from appliance.config_subnets import SubnetSection, check_networks, parse_range
from appliance.errors import ApplianceError, Conflict, NotFound
from appliance.networking.layout import Interface
from appliance.settings.present import NAME, Change, Present, check_file, complaint, spoken
from appliance.setup.checks import check_networks as check_as_set_up_does
from appliance.setup.value import BY_DHCP, DhcpMode, Management, Provisioning, SetUp, UnknownMachines
from appliance.toml_edit import Add, Put, Remove, Value, edited

WORDS = {
    "ranges": "Addresses to give",
    "lease_seconds": "Lease time in seconds",
    "gateway": "Gateway",
    "dns": "Name servers",
    "ntp": "Time servers",
    "package_proxy": "Package proxy",
    "relays": "Relays",
    "mode": "Mode",
    "serve_non_pxe": "Other computers",
    "unknown_machines": "Unknown machines",
    "other_servers": "Another DHCP server",
    "network_roots": "Roots over the network",
    "boot_program": "Boot program",
    "identify_by": "Clients are told apart by",
    "leases_per_port": "Most addresses for one port of a relay",
    "tftp_block_size": "Largest TFTP block in bytes",
}
"""The keys that can be changed; who is served, and where, is said by taking a subnet away and making one."""
RULES = ("mode", "serve_non_pxe", "unknown_machines", "other_servers", "network_roots")
"""Those that users switch under Network while the file says nothing of them."""
_LEAST_HALL = 256
"""Addresses from which on a network has room for 50 that are left out of its ranges."""


@dataclass(frozen=True, slots=True)
class Free:
    """A provisioning interface that no subnet is served on."""

    interface: Interface
    address: IPv4Interface | None
    """None: it has none, and cannot be served until it has."""
    ranges: tuple[str, ...] = ()
    """Proposed."""
    gateway: str = ""


@dataclass(frozen=True, slots=True)
class New:
    """A subnet as it is to be."""

    interface: str
    mode: DhcpMode = "authoritative"
    ranges: tuple[str, ...] = ()
    gateway: str = ""
    unknown_machines: UnknownMachines = "enlist"
    package_proxy: str = ""


Wanted = Mapping[str, Value | None]
"""New values by key; None: the key goes out of the file. What is left out stays."""


def free(of: Present) -> tuple[Free, ...]:
    """Where a subnet could be made."""
    served = {each.interface for each in of.config.subnet if not each.network}
    return tuple(_free(of, each) for each in of.provisioning() if each.name not in served)


def _free(of: Present, interface: Interface) -> Free:
    address = of.address(interface.name)
    if address is None:
        return Free(interface, None)
    gateway = str(address.ip) if of.network.layout.nat else ""
    return Free(interface, address, proposed(address), gateway)


def proposed(address: IPv4Interface) -> tuple[str, ...]:
    """A range as set-up proposes it, ``.50`` to ``.200``; in a small network, the larger side of our own address."""
    network, own = address.network, int(address.ip)
    start, end = int(network.network_address), int(network.broadcast_address)
    spans = [(start + 50, start + 200)] if network.num_addresses >= _LEAST_HALL else [(start + 1, end - 1)]
    first, last = spans[0]
    if first <= own <= last:
        first, last = max((first, own - 1), (own + 1, last), key=lambda span: span[1] - span[0])
    return (f"{IPv4Address(first)}-{IPv4Address(last)}",) if first <= last else ()


def index_of(of: Present, key: str) -> int:
    """Which of the sections; ``key`` is its interface, or its network behind relays. Raises NotFound."""
    for index, each in enumerate(of.config.subnet):
        if each.key == key:
            return index
    known = ", ".join(each.key for each in of.config.subnet) or "none"
    raise NotFound("subnet-unknown", f"the configuration has no subnet {key[:64]!r}", f"it has {known}")


def added(of: Present, new: New) -> Change:
    """What it means to serve a network where machines boot. Raises NotFound, Conflict, Invalid with the field."""
    place = next((each for each in free(of) if each.interface.name == new.interface), None)
    if place is None or place.address is None:
        raise _not_free(of, new.interface, place)
    given = BY_DHCP if place.interface.method == "dhcp" else str(place.address)
    _check_as_set_up_does(new, given)
    own = str(place.address.ip)
    values: dict[str, Value] = {"interface": new.interface, "ranges": new.ranges}
    values |= {"gateway": new.gateway} if new.gateway else {}
    values |= {"ntp": (own,)}
    values |= {"package_proxy": new.package_proxy} if new.package_proxy else {}
    text = edited(of.configured.text, [Add("subnet", values)])
    _check_whole(of, text, len(of.config.subnet))
    rules = {"mode": new.mode, "unknown_machines": new.unknown_machines}
    return Change(
        "settings.add-subnet",
        new.interface,
        of.configured.text,
        text,
        _of_new(new, place.address),
        becomes={**values, **rules},
        rules=rules,
    )


def _not_free(of: Present, interface: str, place: Free | None) -> ApplianceError:
    if place is not None:
        hint = "give it one under Network, Interfaces"
        return Conflict("interface-address", f"{interface} has no address, so nothing can be served there", hint)
    if any(each.interface == interface and not each.network for each in of.config.subnet):
        return Conflict("subnet-there", f"{interface} is served already", "change its settings", "interface")
    if of.network.layout.named(interface) is not None:
        hint = "give it the role provisioning under Network, Interfaces"
        return Conflict("interface-role", f"machines are not to boot on {interface}", hint, "interface")
    return NotFound("interface-unknown", f"the appliance has no interface {interface[:40]!r}", "look at the list")


def _of_new(new: New, address: IPv4Interface) -> tuple[str, ...]:
    gives = {
        "authoritative": f"The appliance gives {spoken(new.ranges)} there, unless another DHCP server answers.",
        "proxy": "Another DHCP server gives the addresses there.",
        "reservations": "Only what has a reserved address is served there.",
        "off": "DHCP is silent there until it is switched on under Network.",
    }
    return f"{new.interface} is served: machines in {address.network} boot from the appliance.", gives[new.mode]


def _check_as_set_up_does(new: New, address: str) -> None:
    provisioning = Provisioning(
        new.interface, address, new.mode, new.ranges, new.gateway, new.unknown_machines,
        package_proxy=new.package_proxy,
    )  # fmt: skip

    def complain(section: str, key: str | None, wrong: str, right: str) -> ApplianceError:
        return complaint(section, "mode" if key == "dhcp" else key, wrong, right)

    check_as_set_up_does(SetUp(Management("-"), provisioning=provisioning), complain)


def changed(of: Present, key: str, wanted: Wanted, options: Mapping[str, str] | None = None) -> Change:
    """What it means to have a subnet so; ``options`` are all its further DHCP options, None leaves them.

    Raises NotFound, Invalid with the field, Conflict ``file-form``.
    """
    index = index_of(of, key)
    table: Mapping[str, Any] = of.tables["subnet"][index]
    puts = [Put("subnet", name, value, index) for name, value in _new_values(table, wanted).items()]
    had = of.config.subnet[index].options
    others = [] if options is None else [
        Put("subnet", name, options.get(name), index, "options")
        for name in dict.fromkeys((*had, *options)) if had.get(name) != options.get(name)
    ]  # fmt: skip
    text = edited(of.configured.text, [*puts, *others])
    _check_whole(of, text, index)
    was = {each.key: _effective(table.get(each.key), each.key) for each in puts}
    becomes = {each.key: _effective(each.value, each.key) for each in puts}
    lines = [f"{WORDS[name]}: {spoken(becomes[name])} instead of {spoken(was[name])}." for name in was]
    for each in others:
        was[each.key], becomes[each.key] = had.get(each.key), each.value
        lines.append(f"DHCP option {each.key}: {spoken(each.value)} instead of {spoken(had.get(each.key))}.")
    return Change("settings.change-subnet", key, of.configured.text, text, tuple(lines), (), was, becomes)


def _new_values(table: Mapping[str, Any], wanted: Wanted) -> dict[str, Value | None]:
    """Those that differ from what the file says, or from what holds where it says nothing."""
    found: dict[str, Value | None] = {}
    for name, value in wanted.items():
        given = None if value == "" or (value == () and name != "dns") else value
        if _list(given) != table.get(name) and not (name not in table and _list(given) == _default(name)):
            found[name] = given
    return found


def _list(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _default(name: str) -> object:
    one = next(each for each in fields(SubnetSection) if each.name == name)
    return None if one.default is MISSING else _list(one.default)


def _effective(value: object, name: str) -> object:
    return _default(name) if value is None else value


def _check_whole(of: Present, text: str, index: int) -> None:
    """By itself, and with the address that the interface has; other sections are not our business."""
    check_file(text)
    sections = parse(text, NAME).subnet
    section = sections[index]
    address = of.address(section.interface) if not section.network else None
    if address is None:
        return
    if section.gateway and IPv4Address(section.gateway) not in address.network:
        right = f"write an address in {address.network}, or leave it out"
        raise complaint("subnet", "gateway", f"{section.gateway} is outside {address.network}", right)

    def complain(_section: str, key: str | None, wrong: str, right: str, _index: int) -> ApplianceError:
        return complaint("subnet", key, wrong, right)

    check_networks(sections, {section.interface: address}, complain)


def outside(change: Change, key: str, leased: Sequence[IPv4Address]) -> list[IPv4Address]:
    """Addresses that are leased now, and that are in no range of the subnet any more."""
    section = next(each for each in parse(change.after, NAME).subnet if each.key == key)
    spans = [parse_range(text) for text in section.ranges]
    return [each for each in leased if not any(first <= each <= last for first, last in spans)]


def with_line(change: Change, line: str) -> Change:
    """One more thing that it means."""
    return replace(change, lines=(*change.lines, line))


def removed(of: Present, key: str, holders: int) -> Change:
    """What it means to serve a subnet no more; ``holders`` computers have an address of us there."""
    index = index_of(of, key)
    text = edited(of.configured.text, [Remove("subnet", index)])
    check_file(text)
    have = "has an address" if holders == 1 else "have an address"
    asked = f"{holders or 'No'} computer{'' if holders == 1 else 's'} {have} of us there now"
    lines = (
        f"{key} is served no more: machines there do not network-boot, are not deployed, released or rescued, and get "
        "no address and no names from the appliance.",
        f"{asked}{'; whoever has one keeps it until its lease ends.' if holders else '.'}",
        "Its ranges and all that the configuration file says of it are gone. Machines, deployments, reservations and "
        "rules stay in the state, and count again once a subnet is made there.",
    )
    was = dict(of.tables["subnet"][index])
    return Change("settings.remove-subnet", key, of.configured.text, text, lines, was=was, confirm=key)
