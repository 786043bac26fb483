"""The whole network of the appliance as one value, as it is stored, sent and compared. Pure."""

from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

Kind = Literal["nic", "bond", "vlan", "bridge"]
Method = Literal["dhcp", "static", "none"]
Role = Literal["management", "provisioning", "vms", "storage"]
BondMode = Literal["active-backup", "802.3ad", "balance-xor", "balance-rr", "balance-tlb", "balance-alb"]
KINDS: tuple[Kind, ...] = get_args(Kind)
METHODS: tuple[Method, ...] = get_args(Method)
ROLES: tuple[Role, ...] = get_args(Role)
BOND_MODES: tuple[BondMode, ...] = get_args(BondMode)
ROLE_WORDS: Mapping[Role, str] = {
    "management": "console, API and SSH are reached here",
    "provisioning": "machines boot here",
    "vms": "virtual machines are connected here",
    "storage": "exports of volumes are reached here",
}
"""What each role means."""
MODE_WORDS: Mapping[BondMode, str] = {
    "active-backup": "active-backup: one cable at a time; any switch will do",
    "802.3ad": "802.3ad (LACP): all cables; the switch has to be told",
    "balance-xor": "balance-xor: by address; the switch has to be told",
    "balance-rr": "balance-rr: packets in turns; the switch has to be told",
    "balance-tlb": "balance-tlb: all cables for what is sent",
    "balance-alb": "balance-alb: all cables for what is sent and received",
}
"""How a bond uses its cables; each fits a line of the appliance's own screen."""


class Interface(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One interface with its addresses; which fields matter depends on its kind."""

    name: str
    kind: Kind = "nic"
    mac: str = ""
    """Of a NIC: the address that it was made with, by which it is found again."""
    ports: tuple[str, ...] = ()
    """Of a bond or a bridge: the interfaces in it."""
    mode: BondMode = "active-backup"
    """Of a bond."""
    parent: str = ""
    """Of a VLAN: the interface that carries it."""
    tag: int = 0
    """Of a VLAN: 1 to 4094."""
    method: Method = "none"
    """Where its addresses come from."""
    addresses: tuple[str, ...] = ()
    """With their prefixes, as ``10.77.0.1/24``; only with ``static``."""
    gateway: str = ""
    """The router to everywhere else; only with ``static``, and of one interface only."""
    dns: tuple[str, ...] = ()
    """Name servers; only with ``static``."""
    roles: tuple[Role, ...] = ()


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """All interfaces. Whatever is not here is left without addresses."""

    interfaces: tuple[Interface, ...] = ()
    nat: bool = False
    """Whether machines of the provisioning networks reach everything else through the management network."""

    def named(self, name: str) -> Interface | None:
        """The interface of this name."""
        return next((each for each in self.interfaces if each.name == name), None)

    def master(self, name: str) -> Interface | None:
        """The bond or bridge that an interface is in."""
        return next((each for each in self.interfaces if name in each.ports), None)

    def top(self, name: str) -> str:
        """The interface that has the addresses: that of the outermost bond or bridge around this one."""
        seen: set[str] = set()
        while (master := self.master(name)) is not None and master.name not in seen:
            seen.add(master.name)
            name = master.name
        return name

    def with_role(self, role: Role) -> tuple[Interface, ...]:
        """The interfaces of a network that is for this."""
        return tuple(each for each in self.interfaces if role in each.roles)

    def carriers(self, name: str) -> tuple[Interface, ...]:
        """The NICs that an interface rests on, through bonds, VLANs and bridges; itself where it is one."""
        found: dict[str, Interface] = {}
        waiting, seen = [name], set[str]()
        while waiting:
            one = self.named(waiting.pop(0))
            if one is None or one.name in seen:
                continue
            seen.add(one.name)
            if one.kind == "nic":
                found[one.name] = one
            waiting += [*one.ports, *([one.parent] if one.parent else [])]
        return tuple(found.values())


def nic(layout: Layout, mac: str) -> Interface | None:
    """The NIC with this hardware address."""
    return next((each for each in layout.interfaces if each.kind == "nic" and each.mac == mac), None)
