"""Who may reach what, as a ruleset for nft(8): it follows from what each network is for. Pure.

The whole ruleset is one text that begins by taking the last one away: nft(8) puts it on in one transaction, or not at
all.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from appliance.networking.layout import Interface, Layout, Role

TABLE = "inet qrm"
"""Our table; tables of others are left alone."""
SSH = 22
NFS, ISCSI = 2049, 3260


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the daemon listens, as its configuration says."""

    console: tuple[int, ...] = (8443,)
    boot: int = 80
    control: int = 443
    dns: int = 53


def ruleset(layout: Layout, ports: Ports) -> str:
    """The rules for a layout that has been checked."""
    lines = [
        "# Written by the appliance from the roles of its networks; changes by hand are overwritten.",
        f"table {TABLE}",
        f"delete table {TABLE}",
        f"table {TABLE} {{",
        *_chain("input", "type filter hook input priority filter; policy drop;", _input(layout, ports)),
        *_chain("forward", "type filter hook forward priority filter; policy drop;", _forward(layout)),
    ]
    if layout.nat:
        lines += _chain("outward", "type nat hook postrouting priority srcnat; policy accept;", _outward(layout))
    return "\n".join([*lines, "}", ""])


def _chain(name: str, head: str, rules: Iterable[str]) -> list[str]:
    return [f"  chain {name} {{", f"    {head}", *(f"    {rule}" for rule in rules), "  }"]


def _input(layout: Layout, ports: Ports) -> list[str]:
    rules = ['iifname "lo" accept', *_elsewhere(layout, ports), "ct state established,related accept",
             "ct state invalid drop", "meta l4proto { icmp, ipv6-icmp } accept"]  # fmt: skip
    asking = [each for each in layout.interfaces if each.method == "dhcp"]
    # An answer to a broadcast belongs to no connection that the kernel knows of.
    rules += _from(asking, "udp sport 67 udp dport 68 accept")
    rules += _of(layout, "management", f"tcp dport {_set((SSH, *ports.console))} accept")
    provisioning = layout.with_role("provisioning")
    rules += _from(provisioning, f"udp dport {_set((ports.dns, 67, 69, 123, 4011))} accept")
    rules += _from(provisioning, f"tcp dport {_set((ports.dns, ports.boot, ports.control))} accept")
    rules += _of(layout, "storage", f"tcp dport {_set((NFS, ISCSI))} accept")
    return rules


def _elsewhere(layout: Layout, ports: Ports) -> list[str]:
    """Console and SSH end at once where management was: connections that are open would go on otherwise."""
    managed = layout.with_role("management")
    others = {ports.boot, ports.control, ports.dns}  # served on networks that are not for management
    closed = {SSH, *ports.console} - others
    return [f"iifname != {_names(managed)} tcp dport {_set(closed)} drop"] if managed else []


def _forward(layout: Layout) -> list[str]:
    """Nothing goes through the appliance but what NAT is for."""
    inward, outward = _sides(layout)
    if not layout.nat or not outward:
        return []
    return [
        "ct state established,related accept",
        f"iifname {_names(inward)} oifname {_names(outward)} accept",
    ]


def _outward(layout: Layout) -> list[str]:
    inward, outward = _sides(layout)
    return [f"iifname {_names(inward)} oifname {_names(outward)} masquerade"] if outward else []


def _sides(layout: Layout) -> tuple[list[Interface], list[Interface]]:
    """Provisioning networks, and the ways to everywhere else: management networks that are no provisioning network."""
    inward = list(layout.with_role("provisioning"))
    return inward, [each for each in layout.with_role("management") if each not in inward]


def _of(layout: Layout, role: Role, rule: str) -> list[str]:
    return _from(layout.with_role(role), rule)


def _from(interfaces: Iterable[Interface], rule: str) -> list[str]:
    found = list(interfaces)
    return [f"iifname {_names(found)} {rule}"] if found else []


def _names(interfaces: Iterable[Interface]) -> str:
    return "{ " + ", ".join(f'"{each.name}"' for each in interfaces) + " }"


def _set(ports: Iterable[int]) -> str:
    return "{ " + ", ".join(str(each) for each in sorted(set(ports))) + " }"
