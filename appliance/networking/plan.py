"""What a change of the network means, in words, and whether it cuts off who asks for it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface

from appliance.networking.follow import moves
from appliance.networking.layout import Interface, Layout
from appliance.networking.reached import sits_at_it
from appliance.networking.render import hardware_address

SECONDS = 60
"""For so long a change is tried before it is taken back."""
BLIND_WORD = "cut off"
"""What has to be typed for a change after which nobody can tell where the console is."""
UNSERVED_WORD = "not served"
"""What has to be typed for a change after which machines are not served that are served now."""


@dataclass(frozen=True, slots=True)
class Plan:
    """From one layout to another."""

    lines: tuple[str, ...]
    """What changes, a sentence for each; none where nothing does."""
    lost: str = ""
    """What who asks loses, and the way back; empty where they go on as before."""
    target: str = ""
    """The address at which the console is to be confirmed from; empty where it stays or is not known."""
    confirm: str = ""
    """The word to be typed before this is done; empty where none is needed."""
    moves: Mapping[str, str] | None = None
    """Interfaces whose networks go on under another name, old to new: subnets that are served follow."""
    unserved: tuple[str, ...] = ()
    """On which subnets machines are served now and would not be any more, and why: a sentence for each."""


@dataclass(frozen=True, slots=True)
class _Asker:
    """Who asks for a change, and how they came."""

    here: str
    peer: str
    live: Mapping[str, tuple[str, ...]]


def plan(
    old: Layout,
    new: Layout,
    here: str,
    live: Mapping[str, tuple[str, ...]],
    peer: str = "",
    ended: Mapping[str, str] | None = None,
) -> Plan:
    """What becomes of ``old``; ``here`` is the address of ours that who asks has reached, empty for one who sits at it.

    ``live`` has the addresses that each interface has at this moment, with prefixes, those from DHCP included. ``peer``
    is the address of who asks, where it is known, and ``ended`` has why subnets would not be served any more.
    """
    changes = (*_interfaces(old, new), *_nat(old, new))
    lost, target, confirm = _way(old, new, _Asker(here, peer, live)) if changes and here else ("", "", "")
    ending = (ended or {}).items() if changes else ()
    unserved = tuple(f"machines on {subnet} are not served any more: {why}" for subnet, why in ending)
    word = confirm or (UNSERVED_WORD if unserved else "")
    return Plan((*changes, *unserved), lost, target, word, moves(old, new), unserved)


# -- words


def _interfaces(old: Layout, new: Layout) -> list[str]:
    said = []
    for each in new.interfaces:
        before = old.named(each.name)
        if before is None:
            said.append(f"{each.name} is made: {_what(each)}; {addressing(each)}{_for(each)}")
        elif before != each:
            said += _changed(before, each)
    return said + [f"{each.name} is taken away" for each in old.interfaces if new.named(each.name) is None]


def _what(of: Interface) -> str:
    match of.kind:
        case "bond":
            return f"a bond ({of.mode}) of {', '.join(of.ports)}"
        case "bridge":
            return f"a bridge of {', '.join(of.ports) or 'nothing yet'}"
        case "vlan":
            return f"the VLAN {of.tag} on {of.parent}"
        case _:
            return f"the NIC {of.mac}"


def addressing(of: Interface) -> str:
    """Where its addresses come from, in words."""
    match of.method:
        case "dhcp":
            return "address from DHCP"
        case "static":
            ways = [f"gateway {of.gateway}"] if of.gateway else []
            ways += [f"DNS {', '.join(of.dns)}"] if of.dns else []
            return ", ".join([" and ".join(of.addresses), *ways])
        case _:
            return "no address"


def _for(of: Interface) -> str:
    return f"; for {', '.join(of.roles)}" if of.roles else ""


def _changed(before: Interface, after: Interface) -> list[str]:
    said = []
    if _what(before) != _what(after):
        said.append(f"{after.name} becomes {_what(after)}, and was {_what(before)}")
    if addressing(before) != addressing(after):
        said.append(f"{after.name}: {addressing(after)}, instead of {addressing(before)}")
    if set(before.roles) != set(after.roles):
        gone = ", ".join(before.roles) or "nothing"
        said.append(f"{after.name} is for {', '.join(after.roles) or 'nothing'}, and was for {gone}")
    return said


def _nat(old: Layout, new: Layout) -> list[str]:
    if old.nat == new.nat:
        return []
    if new.nat:
        return ["machines of the provisioning networks reach everything else through the appliance (NAT)"]
    return ["machines of the provisioning networks reach nothing through the appliance any more"]


# -- the way back


def _way(old: Layout, new: Layout, asker: _Asker) -> tuple[str, str, str]:
    """(what is lost, where to go on, the word to type)."""
    over = _over(old, asker)
    if over is None:
        return _unseen(old, new, asker.here)
    if any(_keeps(old, new, over, after, asker.here) for after in new.with_role("management")):
        return _back(old, new, over, asker)
    target = _target(new, over.name)
    if target == asker.here:
        cables = " and ".join(each.name for each in new.with_role("management"))
        said = f"the console keeps {target}, and is reached over {cables}: go on there within {SECONDS} seconds"
        return said, target, ""
    if target:
        said = f"the console goes from {asker.here} to {target}: open it there and confirm within {SECONDS} seconds"
        return said, target, ""
    said = (
        f"the console leaves {asker.here}, and nobody can tell for where: its address will come from DHCP. It is shown"
        f" on the appliance's screen; who does not find it within {SECONDS} seconds has the network of before again"
    )
    return said, "", BLIND_WORD


def _unseen(old: Layout, new: Layout, here: str) -> tuple[str, str, str]:
    """For who came to an address that no interface is known to have, as one of IPv6 that is good on one cable only."""
    if sits_at_it(here) or _management(old) == _management(new):
        return "", "", ""
    said = (
        f"nobody can tell over which network you reach {here}, and management changes: who does not find the console"
        f" within {SECONDS} seconds has the network of before again"
    )
    return said, "", BLIND_WORD


def _management(layout: Layout) -> set[tuple[object, ...]]:
    """By which ways the console is reached at which addresses."""
    return {
        (each.method, each.addresses, each.gateway, *sorted(_ways(layout, each)))
        for each in layout.with_role("management")
    }


def _over(old: Layout, asker: _Asker) -> Interface | None:
    """The interface that has the address that was reached."""
    for each in old.interfaces:
        if asker.here in {_bare(text) for text in (*each.addresses, *asker.live.get(each.name, ()))}:
            return each
    return None


def _bare(text: str) -> str:
    """Without its prefix, and written as the kernel does."""
    return str(ip_interface(text).ip)


def _keeps(old: Layout, new: Layout, before: Interface, after: Interface, here: str) -> bool:
    """Whether the address stays, on the same cable: the same one written down, or a lease of the same MAC address."""
    if after.method == "static":
        same_cable = _ways(old, before) & _ways(new, after)
        return bool(same_cable) and here in {_bare(each) for each in after.addresses}
    return (after.method, before.method) == ("dhcp", "dhcp") and _known_as(old, before) == _known_as(new, after)


def _known_as(layout: Layout, of: Interface) -> tuple[str, int]:
    """What a DHCP server tells interfaces apart by: the MAC address, on each VLAN."""
    return hardware_address(layout, of), of.tag


def _ways(layout: Layout, of: Interface, tags: tuple[int, ...] = ()) -> set[tuple[str, tuple[int, ...]]]:
    """The cables that an interface is reached over: MAC address of each NIC, with the tags of the VLANs on the way."""
    if of.kind == "nic":
        return {(of.mac, tags)}
    inner = (*tags, of.tag) if of.kind == "vlan" else tags
    below = (layout.named(name) for name in (*of.ports, of.parent))
    return {way for each in below if each is not None for way in _ways(layout, each, inner)}


def _back(old: Layout, new: Layout, over: Interface, asker: _Asker) -> tuple[str, str, str]:
    """The address stays; whether answers still find the way to who asks, should they be behind a router."""
    before, after = _gateways(old), _gateways(new)
    leased = any(each.method == "dhcp" for each in new.interfaces)  # a router comes with the address
    stays = before <= after and (after or leased)
    if stays or not _is_behind_router(over, asker):
        return "", "", ""
    said = (
        f"answers to {asker.peer} may not find their way: it is behind a router, and"
        f" {'another gateway is set' if after else 'no gateway is left'}. Who cannot confirm within {SECONDS} seconds"
        " has the network of before again"
    )
    return said, "", BLIND_WORD


def _gateways(layout: Layout) -> set[str]:
    return {each.gateway for each in layout.interfaces if each.gateway}


def _is_behind_router(over: Interface, asker: _Asker) -> bool:
    if not asker.peer:
        return False
    peer = ip_address(asker.peer)
    own = [ip_interface(each).network for each in (*over.addresses, *asker.live.get(over.name, ()))]
    return not peer.is_link_local and all(peer not in each for each in own if each.version == peer.version)


def _target(new: Layout, over: str) -> str:
    """A written address for management; rather on the interface that was reached than on another."""
    static = [each for each in new.with_role("management") if each.method == "static"]
    found = sorted(static, key=lambda each: each.name != new.top(over))
    addresses = [str(ip_interface(text).ip) for each in found for text in each.addresses]
    return addresses[0] if addresses else ""
