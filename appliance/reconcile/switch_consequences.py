"""What it would mean to serve a subnet in another way, said before it is done. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.machine import BUSY
from appliance.netboot.dhcp.subnet import Subnet
from appliance.reconcile.consequences import Consequences

LEASING = ("authoritative", "reservations")
"""Modes in which addresses are given by us."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who is leased an address on the subnet now."""

    address: IPv4Address
    reserved: bool
    """Whether it is reserved for them."""
    state: str | None
    """That of the machine whose interface it is; None where it is no machine's."""


def switch_consequences(before: Subnet, after: Subnet, holders: Sequence[Holder]) -> Consequences:
    """``holders`` are those of now. What takes something from somebody is confirmed with the name of the subnet."""
    name = after.interface
    changes = [each for each in _RULES if getattr(before, each) != getattr(after, each)]
    if not changes:
        return Consequences((f"Nothing changes on {name}.",))
    texts = [text for each in changes for text in _RULES[each](before, after)]
    lost = [each for each in holders if _keeps(before, each) and not _keeps(after, each)]
    return Consequences((*texts, *_losses(lost, after)), name if lost or _takes(before, after) else None)


def _keeps(subnet: Subnet, holder: Holder) -> bool:
    """Whether this holder can renew."""
    if subnet.mode == "reservations":
        return holder.reserved
    others = subnet.serve_non_pxe or holder.reserved or holder.state is not None
    return subnet.mode == "authoritative" and others


def _takes(before: Subnet, after: Subnet) -> bool:
    """Whether anybody may be worse off, lease or no lease."""
    narrower = _BREADTH[after.mode] < _BREADTH[before.mode]
    return narrower or (after.other_servers == "ignore" != before.other_servers and after.mode == "authoritative")


_BREADTH = {"off": 0, "proxy": 1, "reservations": 2, "authoritative": 3}


def _losses(lost: Collection[Holder], after: Subnet) -> list[str]:
    if not lost:
        return []
    texts = [
        f"{_count(len(lost), 'lease')} cannot be renewed any more: whoever holds one loses its address when it ends,"
        f" {_span(after.lease_seconds)} from now at the latest, unless another server gives one."
    ]
    busy = sum(1 for each in lost if each.state in _AT_WORK)
    if busy:
        texts.append(f"{_count(busy, 'machine')} of them are in the middle of something that may fail by that.")
    return texts


_AT_WORK = frozenset(state.value for state in BUSY)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _span(seconds: int) -> str:
    return _count(-(-seconds // 60), "minute") if seconds < 7200 else _count(-(-seconds // 3600), "hour")


def _mode(before: Subnet, after: Subnet) -> list[str]:
    texts = _who_gives(before, after)
    if before.mode == "authoritative":
        texts.append(
            "Our leases prove no machine's identity there any more: whoever asks for a boot script is believed to be"
            " the machine that it names."
        )
    return texts


def _who_gives(before: Subnet, after: Subnet) -> list[str]:
    name = after.interface
    match after.mode:
        case "off":
            return [f"DHCP is silent on {name}: nobody is given an address there, or told what to boot."]
        case "proxy":
            return [
                f"Another DHCP server has to give the addresses on {name}; we only say what to boot,"
                " to what network-boots. Computers that do not are not answered."
            ]
        case "reservations":
            return [f"On {name} only those are answered who have an address reserved: they get it, and what to boot."]
    return _authoritative(before, after)


def _authoritative(before: Subnet, after: Subnet) -> list[str]:
    name, ranges = after.interface, ", ".join(f"{each.first} to {each.last}" for each in after.ranges)
    whom = "Everybody" if after.serve_non_pxe else "Whatever network-boots or is known"
    what = f"an address of {ranges}" if ranges else "one that is reserved: the configuration file gives no range"
    texts = [f"{whom} that asks on {name} gets {what}."]
    if after.other_servers == "refuse" and after.remote is None:
        texts.append(
            "Before that it is looked whether another DHCP server answers there; while one does, no new addresses"
            " are given."
        )
    if before.mode == "proxy":
        texts.append(
            "Machines that got their address from another server are not believed to be who they say, and are not"
            " worked on, until they have asked us for one."
        )
    return texts


def _non_pxe(_before: Subnet, after: Subnet) -> list[str]:
    if after.serve_non_pxe:
        return [f"Computers that do not network-boot get addresses on {after.interface} as well."]
    return [f"On {after.interface} computers get an address only if they network-boot, are known or have it reserved."]


def _unknown(_before: Subnet, after: Subnet) -> list[str]:
    name = after.interface
    match after.unknown_machines:
        case "enlist":
            return [f"Unknown machines that boot on {name} are enlisted: they appear in maintenance."]
        case "local-disk":
            return [f"Unknown machines that boot on {name} are sent to their own disks, and not enlisted."]
    return [f"Unknown machines on {name} are not told what to boot, and not enlisted."]


def _others(_before: Subnet, after: Subnet) -> list[str]:
    name = after.interface
    if after.other_servers == "refuse":
        return [f"While another DHCP server answers on {name}, authoritative service does not begin again there."]
    return [
        f"Addresses are given on {name} although another DHCP server may answer: machines take whichever offer comes"
        " first, may boot nothing or something else, and two computers may be given the same address."
    ]


def _roots(_before: Subnet, after: Subnet) -> list[str]:
    name, who = after.interface, "Machines whose root comes over the network and that restart by themselves"
    if after.network_roots == "ask":
        return [f"{who} wait on {name} until somebody lets them in."]
    return [
        f"{who} get it on {name} at once, with its keys and secrets. They are known by their network addresses only:"
        " whoever can take such an address there gets the root as well.",
    ]


_RULES = {
    "mode": _mode,
    "serve_non_pxe": _non_pxe,
    "unknown_machines": _unknown,
    "other_servers": _others,
    "network_roots": _roots,
}
