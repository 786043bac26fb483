"""The configuration file's subnets follow the interface that they are served on, when it gets another name. Pure."""

import re
from collections.abc import Mapping
from functools import partial

from appliance.networking.layout import Interface, Layout
from appliance.networking.render import hardware_address

_HEAD = re.compile(r"\s*\[")
_SUBNET = re.compile(r"\s*\[\[\s*subnet\s*\]\]")
_INTERFACE = re.compile(r"""(\s*interface\s*=\s*)(["'])([^"']*)\2(.*)""", re.DOTALL)


def moves(old: Layout, new: Layout) -> dict[str, str]:
    """Interfaces whose network goes on under another name: that of the bridge or bond that they came into, or that of
    the first port of one that was taken away.

    Only what had a network of its own moves, and never over another one: of several that come into one bridge, that
    goes on whose addresses it took over, and what comes into a bridge with a network of its own ends there.
    """
    coming: dict[str, list[Interface]] = {}
    for each in old.interfaces:
        after = _goes_on(each, new) if old.top(each.name) == each.name else ""
        if after not in ("", each.name) and not _stands(old, after):
            coming.setdefault(after, []).append(each)
    return {min(some, key=partial(_strange, old, new, after)).name: after for after, some in coming.items()}


def _stands(layout: Layout, name: str) -> bool:
    """Whether an interface has a network of its own."""
    found = layout.named(name)
    return found is not None and found.method != "none"


def _strange(old: Layout, new: Layout, after: str, before: Interface) -> tuple[bool, bool, int]:
    """How little of an interface goes on in ``after``; the order of its ports decides between equals."""
    heir = new.named(after)
    ports = heir.ports if heir else ()
    place = ports.index(before.name) if before.name in ports else len(ports)
    return heir is None or not _taken_over(old, new, before, heir), before.method == "none", place


def _taken_over(old: Layout, new: Layout, before: Interface, after: Interface) -> bool:
    """Whether its addresses are those from before: the same ones written down, or leases of the same MAC address."""
    if (before.method, after.method) == ("dhcp", "dhcp"):
        return hardware_address(old, before) == hardware_address(new, after)
    return bool(set(before.addresses) & set(after.addresses))


def _goes_on(of: Interface, new: Layout) -> str:
    if new.named(of.name) is not None:
        return new.top(of.name)
    heirs = [name for name in of.ports if new.named(name) is not None]
    return new.top(heirs[0]) if heirs else ""


def followed(text: str, moved: Mapping[str, str]) -> str:
    """The configuration file with ``interface`` of each ``[[subnet]]`` as it is called now; the rest stays as it is."""
    lines, in_subnet = [], False
    for line in text.splitlines(keepends=True):
        if _HEAD.match(line):
            in_subnet = _SUBNET.match(line) is not None
        found = _INTERFACE.fullmatch(line) if in_subnet else None
        if found and found[3] in moved:
            line = f"{found[1]}{found[2]}{moved[found[3]]}{found[2]}{found[4]}"
        lines.append(line)
    return "".join(lines)
