"""A layout as the files of systemd-networkd and udev: systemd.network(5), systemd.netdev(5), systemd.link(5). Pure."""

from ipaddress import ip_address, ip_interface

from appliance.networking.layout import Interface, Layout

HEAD = "# Written by the appliance from its networks (console, API or qrm); changes by hand are overwritten.\n"
PREFIX = "10-qrm-"
"""What our files begin with: others in the directory are left alone."""


def render(layout: Layout) -> dict[str, str]:
    """Text of every file, by name; the layout has been checked."""
    files: dict[str, str] = {}
    for each in layout.interfaces:
        place = PREFIX + each.name
        if each.kind == "nic":
            files[f"{place}.link"] = _link(each)
        else:
            files[f"{place}.netdev"] = _netdev(layout, each)
        files[f"{place}.network"] = _network(layout, each)
    return files


def stale(old: Layout, new: Layout) -> list[str]:
    """Bonds, VLANs and bridges of ``old`` that have to go: those that are not in ``new``, or are made otherwise there.

    networkd changes none that exists. What stands on another one goes with it, and comes first.
    """
    gone: set[str] = set()
    virtual = [each for each in old.interfaces if each.kind != "nic"]
    while more := {each.name for each in virtual if each.name not in gone and _remade(old, new, each, gone)}:
        gone |= more
    carried = {each.name for each in virtual if each.kind == "vlan"}
    return sorted(gone, key=lambda name: (name not in carried, name))


def _remade(old: Layout, new: Layout, of: Interface, gone: set[str]) -> bool:
    after = new.named(of.name)
    if after is None or after.kind != of.kind or of.parent in gone:
        return True
    return _netdev(old, of) != _netdev(new, after) or of.parent != after.parent


def _text(*sections: tuple[str, list[tuple[str, str]]]) -> str:
    parts = ["\n".join([f"[{head}]", *(f"{key}={value}" for key, value in lines)]) for head, lines in sections if lines]
    return HEAD + "\n\n".join(parts) + "\n"


def _link(nic: Interface) -> str:
    """The name of a NIC: udev gives it when the NIC appears, whichever slot it sits in."""
    return _text(("Match", [("PermanentMACAddress", nic.mac)]), ("Link", [("Name", nic.name)]))


def hardware_address(layout: Layout, of: Interface) -> str:
    """The MAC address of a bond or bridge: that of its first NIC, so that it is known to switches and DHCP servers.

    Empty where it has none: systemd then makes one of the name and the machine's id.
    """
    carriers = layout.carriers(of.name)
    return carriers[0].mac if carriers else ""


def _netdev(layout: Layout, of: Interface) -> str:
    device = [("Name", of.name), ("Kind", of.kind)]
    mac = hardware_address(layout, of)
    if of.kind != "vlan" and mac:
        device.append(("MACAddress", mac))
    return _text(("NetDev", device), _kind(of))


def _kind(of: Interface) -> tuple[str, list[tuple[str, str]]]:
    match of.kind:
        case "bond":
            lines = [("Mode", of.mode), ("MIIMonitorSec", "100ms")]
            return "Bond", [*lines, ("LACPTransmitRate", "fast")] if of.mode == "802.3ad" else lines
        case "vlan":
            return "VLAN", [("Id", str(of.tag))]
        case _:
            # Without spanning tree a port forwards at once: firmware that boots gives up before 30 seconds are over.
            return "Bridge", [("STP", "no"), ("ForwardDelaySec", "0")]


def _network(layout: Layout, of: Interface) -> str:
    match = ("PermanentMACAddress", of.mac) if of.kind == "nic" else ("Name", of.name)
    master = layout.master(of.name)
    vlans = [("VLAN", each.name) for each in layout.interfaces if each.parent == of.name]
    if master is not None:
        joins = [("Bond" if master.kind == "bond" else "Bridge", master.name), *_nothing()]
        return _text(("Match", [match]), ("Link", [("RequiredForOnline", "no")]), ("Network", joins))
    forwards = [("IPv4Forwarding", "yes")] if layout.nat and set(of.roles) & {"provisioning", "management"} else []
    return _text(
        ("Match", [match]),
        ("Link", [("RequiredForOnline", _required(of))]),
        ("Network", [*_addressing(of), *vlans, *forwards]),
        ("DHCPv4", _dhcp() if of.method == "dhcp" else []),
    )


def _required(of: Interface) -> str:
    """Until when the start of the daemon waits (systemd-networkd-wait-online(8)).

    A fixed address is there without a cable. One from DHCP is waited for only where machines are served on it.
    """
    if of.method == "static":
        return "no-carrier"
    return "routable" if of.method == "dhcp" and "provisioning" in of.roles else "no"


def _nothing() -> list[tuple[str, str]]:
    return [("LinkLocalAddressing", "no"), ("IPv6AcceptRA", "no")]


def _addressing(of: Interface) -> list[tuple[str, str]]:
    match of.method:
        case "dhcp":
            return [("DHCP", "ipv4"), ("LinkLocalAddressing", "ipv6"), ("IPv6AcceptRA", _yes("management" in of.roles))]
        case "static":
            lines = [("Address", str(ip_interface(each))) for each in of.addresses]
            lines += [("Gateway", str(ip_address(of.gateway)))] if of.gateway else []
            lines += [("DNS", str(ip_address(each))) for each in of.dns]
            # A pulled cable takes no address away: the daemon starts, and leases are kept.
            return [*lines, ("LinkLocalAddressing", "ipv6"), ("IPv6AcceptRA", "no"), ("ConfigureWithoutCarrier", "yes")]
        case _:
            return _nothing()


def _dhcp() -> list[tuple[str, str]]:
    # Known by its MAC address, a bridge is given the address of the NIC that was put under it, and after a restart the
    # one from before. A lease is not given back: sessions live through the change.
    return [("ClientIdentifier", "mac"), ("SendRelease", "no"), ("UseHostname", "no")]


def _yes(value: bool) -> str:
    return "yes" if value else "no"
