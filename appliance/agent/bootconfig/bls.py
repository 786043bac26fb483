"""Boot Loader Specification entries, type 1 (uapi-group.org) (pure)."""

import re
from collections.abc import Mapping

from .entry import BootEntry
from .grub import expand


def parse(text: str, variables: Mapping[str, str]) -> BootEntry | None:
    """One `loader/entries/*.conf`; None for entries that boot no Linux. Fedora puts GRUB variables in options."""
    said: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.strip().partition(" ")
        if key and not key.startswith("#"):
            said.setdefault(key.lower(), []).append(expand(value.strip(), variables))
    if "linux" not in said:
        return None
    initrds = tuple(word for value in said.get("initrd", []) for word in value.split())
    title = (said.get("title") or [""])[0]
    return BootEntry(title, said["linux"][0], initrds, " ".join(said.get("options", [])))


def newest(entries: Mapping[str, BootEntry], wanted: str = "") -> BootEntry | None:
    """The entry (by file name without `.conf`) that boots by default: `wanted`, or the newest version.

    Rescue entries come last: distributions make one beside the real ones.
    """
    if wanted.removesuffix(".conf") in entries:
        return entries[wanted.removesuffix(".conf")]
    ordered = sorted(entries, key=lambda name: ("rescue" not in name, _version(name)))
    return entries[ordered[-1]] if ordered else None


def _version(name: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"\d+|[a-z]+", name.lower())
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
