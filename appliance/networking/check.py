"""What a layout must be to be put on at all. Pure.

Every rule raises Invalid with the interface and the key in ``field``, as ``br0.ports``.
"""

import re
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface

from appliance.errors import Invalid
from appliance.networking.layout import Interface, Layout

MOST = 64
"""Interfaces of a layout."""
_NAME = re.compile(r"[a-z][a-z0-9.-]{0,14}")  # the kernel takes 15 bytes (IFNAMSIZ), and file names are made of it
_RESERVED = ("lo", "all", "default")  # the last two are directories of net.ipv4.conf
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


def check(layout: Layout) -> None:
    """Raise Invalid for a layout that cannot be put on, or that nobody could reach the appliance through."""
    if len(layout.interfaces) > MOST:
        raise _wrong("interfaces", f"there are {len(layout.interfaces)} interfaces", f"{MOST} are the most")
    _check_names(layout)
    for each in layout.interfaces:
        _check_kind(layout, each)
        _check_addressing(each)
        if len(set(each.roles)) != len(each.roles):
            raise _wrong(f"{each.name}.roles", f"{each.name} has a role twice", "say each once")
    _check_ports(layout)
    _check_vlans(layout)
    _check_loops(layout)
    _check_networks(layout)
    _check_ways(layout)


def _wrong(field: str, what: str, hint: str) -> Invalid:
    return Invalid("network-invalid", what, hint, field)


def _check_names(layout: Layout) -> None:
    for each in layout.interfaces:
        if not _NAME.fullmatch(each.name) or each.name in _RESERVED:
            hint = "use up to 15 lower case letters, digits, dots and hyphens, beginning with a letter"
            raise _wrong("name", f"{each.name[:40]!r} is no name of an interface", hint)
    for name, count in Counter(each.name for each in layout.interfaces).items():
        if count > 1:
            raise _wrong("name", f"there are two interfaces {name}", "give each its own name")


def _check_kind(layout: Layout, of: Interface) -> None:
    strange = {"mac": of.mac, "ports": of.ports, "parent": of.parent, "tag": of.tag}
    wanted = {"nic": {"mac"}, "bond": {"ports"}, "bridge": {"ports"}, "vlan": {"parent", "tag"}}[of.kind]
    for key, value in strange.items():
        if value and key not in wanted:
            raise _wrong(f"{of.name}.{key}", f"{of.name} is a {of.kind} and has no {key}", f"leave {key} out")
    if of.kind == "nic":
        _check_mac(layout, of)
    if of.kind == "bond" and not of.ports:
        raise _wrong(f"{of.name}.ports", f"the bond {of.name} has no port", "name at least one NIC")


def _check_mac(layout: Layout, of: Interface) -> None:
    if not _MAC.fullmatch(of.mac) or int(of.mac[1], 16) & 1:  # the lowest bit of the first byte: a group address
        raise _wrong(f"{of.name}.mac", f"{of.mac[:40]!r} is no address of a NIC", "write it as 52:54:00:12:34:56")
    if sum(each.mac == of.mac for each in layout.interfaces) > 1:
        raise _wrong(f"{of.name}.mac", f"two NICs have the address {of.mac}", "every NIC has its own")


def _check_addressing(of: Interface) -> None:
    if of.method != "static":
        for key, value in {"addresses": of.addresses, "gateway": of.gateway, "dns": of.dns}.items():
            if value:
                raise _wrong(f"{of.name}.{key}", f"{of.name} has {key} of its own", "this goes with method static only")
        return
    if not of.addresses:
        raise _wrong(f"{of.name}.addresses", f"{of.name} has no address", "write one with its prefix: 10.77.0.1/24")
    for text in of.addresses:
        _check_address(of, text)
    _check_gateway(of)
    for text in of.dns:
        _parsed(of, "dns", text)


def _check_zone(field: str, text: str) -> None:
    """Python takes any characters behind a %, new lines with them, and what is rendered here is read line by line."""
    if "%" in text:
        raise _wrong(field, f"{text[:60]!r} names a zone", "leave the % out with what follows it")


def _check_address(of: Interface, text: str) -> None:
    field, hint = f"{of.name}.addresses", "write address and prefix, as 10.77.0.1/24"
    _check_zone(field, text)
    try:
        found = ip_interface(text)
    except ValueError:
        raise _wrong(field, f"{text[:60]!r} is no address with a prefix", hint) from None
    if "/" not in text:
        raise _wrong(field, f"{text} has no prefix", hint)
    network = found.network
    small = network.prefixlen >= network.max_prefixlen - 1  # RFC 3021: both addresses of a /31 are hosts
    if not small and found.ip in (network.network_address, network.broadcast_address) and found.version == 4:
        raise _wrong(
            field, f"{found.ip} is no address of a computer in {network}", "take one between the first and last"
        )
    if found.ip.is_multicast or found.ip.is_unspecified or found.ip.is_loopback:
        raise _wrong(field, f"{found.ip} is no address that an interface can have", "take one of your network")


def _check_gateway(of: Interface) -> None:
    if not of.gateway:
        return
    gateway = _parsed(of, "gateway", of.gateway)
    own = [ip_interface(text) for text in of.addresses]
    if all(gateway not in each.network or gateway == each.ip for each in own):
        nets = ", ".join(str(each.network) for each in own)
        raise _wrong(
            f"{of.name}.gateway", f"{gateway} cannot be the gateway of {of.name}", f"it is another one of {nets}"
        )


def _parsed(of: Interface, key: str, text: str) -> object:
    _check_zone(f"{of.name}.{key}", text)
    try:
        return ip_address(text)
    except ValueError:
        raise _wrong(f"{of.name}.{key}", f"{text[:60]!r} is no address", "write one as 10.77.0.1") from None


def _check_ports(layout: Layout) -> None:
    for master in layout.interfaces:
        takes = ("nic",) if master.kind == "bond" else ("nic", "bond", "vlan")
        for name in master.ports:
            port = layout.named(name)
            if port is None or port.kind not in takes:
                what = f"{name!r} cannot be a port of {master.name}"
                raise _wrong(f"{master.name}.ports", what, f"a {master.kind} takes {', '.join(takes)}")
            _check_free(layout, master, port)


def _check_free(layout: Layout, master: Interface, port: Interface) -> None:
    field = f"{master.name}.ports"
    if sum(each.ports.count(port.name) for each in layout.interfaces) > 1:
        raise _wrong(field, f"{port.name} is a port twice", "an interface is in one bond or bridge only")
    if port.method != "none" or port.roles:
        hint = f"give them to {master.name}, and {port.name} none"
        raise _wrong(field, f"{port.name} has addresses or roles of its own, and is a port of {master.name}", hint)
    carried = [each.name for each in layout.interfaces if each.parent == port.name]
    if carried:
        hint = f"put {carried[0]} on {master.name}"
        raise _wrong(f"{carried[0]}.parent", f"{port.name} is a port of {master.name} and carries {carried[0]}", hint)


def _check_vlans(layout: Layout) -> None:
    seen: set[tuple[str, int]] = set()
    for each in layout.interfaces:
        if each.kind != "vlan":
            continue
        parent = layout.named(each.parent)
        if parent is None or parent.kind == "vlan":
            what = f"{each.parent[:40]!r} cannot carry the VLAN {each.name}"
            raise _wrong(f"{each.name}.parent", what, "name a NIC, a bond or a bridge")
        if not 1 <= each.tag <= 4094:
            raise _wrong(f"{each.name}.tag", f"{each.tag} is no tag of a VLAN", "tags are 1 to 4094")
        if (each.parent, each.tag) in seen:
            raise _wrong(f"{each.name}.tag", f"{each.parent} has two VLANs with the tag {each.tag}", "take another tag")
        seen.add((each.parent, each.tag))


def _check_loops(layout: Layout) -> None:
    """No interface may rest on itself, as a bridge with a port that is a VLAN of that bridge."""
    below = {each.name: [*each.ports, *([each.parent] if each.parent else [])] for each in layout.interfaces}
    for name in below:
        waiting, seen = list(below[name]), set[str]()
        while waiting:
            one = waiting.pop()
            if one == name:
                raise _wrong(f"{name}.ports", f"{name} would rest on itself", "take it out of what it carries")
            if one not in seen:
                seen.add(one)
                waiting += below.get(one, [])


def _addresses(layout: Layout) -> Iterator[tuple[Interface, IPv4Interface | IPv6Interface]]:
    for each in layout.interfaces:
        for text in each.addresses:
            yield each, ip_interface(text)


def _check_networks(layout: Layout) -> None:
    """Two interfaces in one network would answer for each other, and nobody knows which."""
    found = list(_addresses(layout))
    for number, (of, address) in enumerate(found):
        for other, theirs in found[:number]:
            if address.version != theirs.version:
                continue
            if other is not of and address.network.overlaps(theirs.network):
                what = f"{of.name} ({address.network}) and {other.name} ({theirs.network}) overlap"
                raise _wrong(f"{of.name}.addresses", what, "one network is on one interface: make a bridge of the two")
            if address.ip == theirs.ip:
                raise _wrong(f"{of.name}.addresses", f"{address.ip} is there twice", "say it once")


def _check_ways(layout: Layout) -> None:
    with_gateway = [each.name for each in layout.interfaces if each.gateway]
    if len(with_gateway) > 1:
        what = f"{' and '.join(with_gateway)} both have a gateway"
        raise _wrong(f"{with_gateway[1]}.gateway", what, "there is one way to everywhere else: leave the other out")
    if all(each.method == "none" for each in layout.with_role("management")):
        hint = "give the role management to an interface that has an address, or gets one by DHCP"
        raise Invalid(
            "network-unreachable", "nobody could reach the console: no network is for management", hint, "roles"
        )
    if layout.nat:
        _check_nat(layout)


def _check_nat(layout: Layout) -> None:
    inward = layout.with_role("provisioning")
    if not inward:
        raise _wrong("nat", "NAT is for machines of a provisioning network, and there is none", "switch it off")
    if all(each in inward for each in layout.with_role("management")):
        what = "NAT leads from one network into another, and management has none of its own"
        raise _wrong("nat", what, "switch it off, or give management to an interface that no machines boot on")
