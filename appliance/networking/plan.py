"""What a change of the network means, in words, and whether it cuts off who asks for it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_interface

from appliance.networking.follow import moves
from appliance.networking.layout import Interface, Layout
from appliance.networking.render import hardware_address

SECONDS = 60
"""For so long a change is tried before it is taken back."""
BLIND_WORD = "cut off"
"""What has to be typed for a change after which nobody can tell where the console is."""


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


def plan(old: Layout, new: Layout, here: str, live: Mapping[str, tuple[str, ...]]) -> Plan:
    """What becomes of ``old``; ``here`` is the address of ours that who asks has reached, empty for one who sits at it.

    ``live`` has the addresses that each interface has at this moment, with prefixes, those from DHCP included.
    """
    lines = (*_interfaces(old, new), *_nat(old, new))
    moved = moves(old, new)
    if not lines or not here:
        return Plan(lines, moves=moved)
    lost, target, confirm = _way(old, new, here, live)
    return Plan(lines, lost, target, confirm, moved)


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


def _way(old: Layout, new: Layout, here: str, live: Mapping[str, tuple[str, ...]]) -> tuple[str, str, str]:
    """(what is lost, where to go on, the word to type)."""
    over = _over(old, here, live)
    if over is None:
        # Through an address that is none of ours, as behind a gateway that forwards: only what stays is safe.
        return "", "", ""
    if any(_keeps(old, new, over, after, here) for after in new.with_role("management")):
        return "", "", ""
    target = _target(new, over.name)
    if target:
        said = f"the console goes from {here} to {target}: open it there and confirm within {SECONDS} seconds"
        return said, target, ""
    said = (
        f"the console leaves {here}, and nobody can tell for where: its address will come from DHCP. It is shown on the"
        f" appliance's screen; who does not find it within {SECONDS} seconds has the network of before again"
    )
    return said, "", BLIND_WORD


def _over(old: Layout, here: str, live: Mapping[str, tuple[str, ...]]) -> Interface | None:
    """The interface that has the address that was reached."""
    for each in old.interfaces:
        if here in {_bare(text) for text in (*each.addresses, *live.get(each.name, ()))}:
            return each
    return None


def _bare(text: str) -> str:
    return text.partition("/")[0]


def _keeps(old: Layout, new: Layout, before: Interface, after: Interface, here: str) -> bool:
    """Whether the address stays: the same one written down, or a lease that goes to the same MAC address."""
    if after.method == "static":
        return here in {_bare(each) for each in after.addresses}
    return (after.method, before.method) == ("dhcp", "dhcp") and _known_as(old, before) == _known_as(new, after)


def _known_as(layout: Layout, of: Interface) -> tuple[str, int]:
    """What a DHCP server tells interfaces apart by: the MAC address, on each VLAN."""
    return hardware_address(layout, of), of.tag


def _target(new: Layout, over: str) -> str:
    """A written address for management; rather on the interface that was reached than on another."""
    static = [each for each in new.with_role("management") if each.method == "static"]
    found = sorted(static, key=lambda each: each.name != new.top(over))
    addresses = [str(ip_interface(text).ip) for each in found for text in each.addresses]
    return addresses[0] if addresses else ""
