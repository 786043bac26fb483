"""The configuration file's subnets follow the interface that they are served on, when it gets another name. Pure."""

import re
from collections.abc import Mapping

from appliance.networking.layout import Interface, Layout

_HEAD = re.compile(r"\s*\[")
_SUBNET = re.compile(r"\s*\[\[\s*subnet\s*\]\]")
_INTERFACE = re.compile(r"""(\s*interface\s*=\s*)(["'])([^"']*)\2(.*)""", re.DOTALL)


def moves(old: Layout, new: Layout) -> dict[str, str]:
    """Interfaces whose network goes on under another name: that of the bridge or bond that they came into, or that of
    the first port of one that was taken away.
    """
    found = {each.name: _goes_on(each, new) for each in old.interfaces}
    return {name: after for name, after in found.items() if after not in ("", name)}


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
