"""Layouts made of others by one change, as forms and commands ask for it. Pure."""

import msgspec

from appliance.errors import Invalid, NotFound
from appliance.networking.layout import Interface, Layout

replace = msgspec.structs.replace


def with_interface(layout: Layout, wanted: Interface) -> Layout:
    """The interface of this name as it is wanted, or one more.

    A bond or bridge that is made around an interface with addresses takes over its addresses and roles, and the VLANs
    on it, so that whoever reaches the appliance through it goes on to. Raises Invalid ``network-invalid`` where a NIC
    is to become something else.
    """
    before = layout.named(wanted.name)
    if before is not None and before.kind != wanted.kind:
        what = f"{wanted.name} is a {before.kind} and cannot become a {wanted.kind}"
        raise Invalid("network-invalid", what, "delete it first, or take another name", "name")
    taken = _taking_over(layout, wanted) if before is None else wanted
    others = tuple(_given_up(each, wanted) for each in layout.interfaces if each.name != wanted.name)
    if before is None:
        return replace(layout, interfaces=(*others, taken))
    return replace(layout, interfaces=tuple(_given_up(taken if each is before else each, wanted)
                                            for each in layout.interfaces))  # fmt: skip


def _taking_over(layout: Layout, made: Interface) -> Interface:
    """A new bond or bridge with what the first of its ports that has anything brings."""
    if made.method != "none" or made.roles:
        return made
    for name in made.ports:
        port = layout.named(name)
        if port is not None and (port.method != "none" or port.roles):
            return replace(made, method=port.method, addresses=port.addresses, gateway=port.gateway, dns=port.dns,
                           roles=port.roles)  # fmt: skip
    return made


def _given_up(each: Interface, master: Interface) -> Interface:
    """A port has no addresses and no roles; a VLAN of a port is carried by what the port is in."""
    if each.name in master.ports:
        return replace(each, method="none", addresses=(), gateway="", dns=(), roles=())
    if each.kind == "vlan" and each.parent in master.ports and each.name not in master.ports:
        return replace(each, parent=master.name)
    return each


def without_interface(layout: Layout, name: str) -> Layout:
    """Without a bond, VLAN or bridge. What it had goes back to its first port, if it has any, and so does its place in
    another bridge.

    Raises NotFound ``interface-unknown``, Invalid ``network-invalid`` for a NIC, which stays while it is plugged in.
    """
    found = named(layout, name)
    if found.kind == "nic":
        what = f"{name} is a NIC: it is there as long as it is in the computer"
        raise Invalid("network-invalid", what, "take its addresses and roles away instead", "name")
    heir = found.ports[0] if found.ports else ""

    def after(each: Interface) -> Interface:
        if each.name == heir:
            return replace(each, method=found.method, addresses=found.addresses, gateway=found.gateway, dns=found.dns,
                           roles=found.roles)  # fmt: skip
        if each.parent == name and heir:
            return replace(each, parent=heir)
        if name in each.ports:
            ports = (heir if port == name else port for port in each.ports)
            return replace(each, ports=tuple(port for port in ports if port))
        return each

    return replace(layout, interfaces=tuple(after(each) for each in layout.interfaces if each.name != name))


def named(layout: Layout, name: str) -> Interface:
    """The interface of this name; raises NotFound ``interface-unknown``."""
    found = layout.named(name)
    if found is None:
        hint = f"there are {', '.join(each.name for each in layout.interfaces) or 'none'}"
        raise NotFound("interface-unknown", f"the appliance has no interface {name[:40]!r}", hint)
    return found


def with_management(layout: Layout, nic: str, addressing: Interface) -> Layout:
    """The console reached over ``nic``, with the method and addresses of ``addressing``; no other has that role.

    Where the NIC is in a bond or bridge, that one gets it. Raises NotFound ``interface-unknown``.
    """
    chosen = named(layout, layout.top(named(layout, nic).name)).name

    def after(each: Interface) -> Interface:
        others = tuple(role for role in each.roles if role != "management")
        if each.name == chosen:
            return replace(each, method=addressing.method, addresses=addressing.addresses, gateway=addressing.gateway,
                           dns=addressing.dns, roles=("management", *others))  # fmt: skip
        # One way out: that of the management network.
        return replace(each, roles=others, gateway="" if addressing.gateway else each.gateway)

    return replace(layout, interfaces=tuple(after(each) for each in layout.interfaces))


def first_layout(nics: dict[str, str]) -> Layout:
    """What an appliance begins with: every NIC asks for an address, and the console is reached over any of them.

    ``nics`` has the MAC address of each by name.
    """
    made = (Interface(name, mac=mac, method="dhcp", roles=("management",)) for name, mac in nics.items())
    return Layout(tuple(made))


def with_nics(layout: Layout, macs: list[str]) -> Layout:
    """The layout with every NIC of the computer in it: one that was not known gets the next free name ``nicN``.

    ``macs`` are in the order of their slots. A NIC that is not there any more stays in the layout, and keeps its name.
    """
    known = {each.mac for each in layout.interfaces}
    taken = {each.name for each in layout.interfaces}
    free = (name for number in range(1000) if (name := f"nic{number}") not in taken)
    added = tuple(Interface(next(free), mac=mac) for mac in macs if mac not in known)
    return replace(layout, interfaces=(*layout.interfaces, *added)) if added else layout


def settled(layout: Layout | None, macs: list[str]) -> Layout:
    """What an appliance is to start with, whose NICs have these addresses, in the order of their slots."""
    before = layout or Layout()
    known = with_nics(before, macs)
    if not before.interfaces:
        return first_layout({each.name: each.mac for each in known.interfaces})
    return known if known is before or _is_reachable(before, macs) else _reachable_anew(before, known)


def _is_reachable(layout: Layout, macs: list[str]) -> bool:
    """Whether some NIC is there that a management network rests on."""
    managed = (nic for each in layout.with_role("management") for nic in layout.carriers(each.name))
    return any(nic.mac in macs for nic in managed)


def _reachable_anew(before: Layout, known: Layout) -> Layout:
    """In another computer, or after its cards were exchanged: NICs that are new ask for an address, for management."""

    def after(each: Interface) -> Interface:
        is_new = before.named(each.name) is None
        return replace(each, method="dhcp", roles=("management",)) if is_new else each

    return replace(known, interfaces=tuple(after(each) for each in known.interfaces))
