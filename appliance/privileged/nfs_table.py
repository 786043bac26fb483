"""What is exported by NFS: the table that rpc.mountd(8) answers the kernel from, changed through exportfs(8) only.

It is kept in /run: after a restart of the appliance it is empty (``state-directory-path`` in the image's nfs.conf).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from appliance.export import ROOT_OPTIONS
from appliance.privileged import durable
from appliance.privileged.computer import Computer

_LINE = re.compile(r"(\S+)\t([^\s(]+)\((\S*)\)")


@dataclass(frozen=True, slots=True)
class Entry:
    """A directory for a client."""

    directory: str
    client: str
    """An address, or whatever somebody else has written: a name, a range, ``*``."""
    read_only: bool


def room(on: Computer) -> Path:
    """Where what is exported is mounted: ``address/export``."""
    return on.roots.run / "appliance" / "exports"


def place(on: Computer, address: str, export: str) -> Path:
    """Where the file system of an export is mounted.

    Each machine has a directory of its own above its exports, which is the root of what it sees of us: what others have
    is not in it, not even as an empty directory that could be mounted in the place of a root.
    """
    return room(on) / address / export


def places(on: Computer, export: str) -> list[Path]:
    """Those that there are of an export: none, or one."""
    return sorted(room(on).glob(f"*/{export}"))


def state(on: Computer) -> Path:
    """Where the table is."""
    return on.roots.run / "appliance" / "nfs"


def entries(on: Computer) -> list[Entry]:
    """All of them, whoever has made them."""
    return parsed(durable.read(state(on) / "etab") or "")


def parsed(text: str) -> list[Entry]:
    """From the table's text; what is no line of it is left out."""
    found = [_LINE.fullmatch(line) for line in text.splitlines()]
    return [Entry(each[1], each[2], "ro" in each[3].split(",")) for each in found if each]


async def add(on: Computer, place: Path, options: Iterable[str]) -> None:
    """For the machine that the place is for, with the directory above, which it comes through."""
    _begin(on)
    known = {(each.directory, each.client) for each in entries(on)}
    client = place.parent.name
    if (str(place.parent), client) not in known:
        await _export(on, place.parent, client, ROOT_OPTIONS)
    if (str(place), client) not in known:
        await _export(on, place, client, options)


def _begin(on: Computer) -> None:
    """An empty table where there is none: exportfs complains of a missing one, and ends as if it had failed."""
    if not (state(on) / "etab").exists():
        durable.write(state(on) / "etab", "")


async def _export(on: Computer, directory: Path, client: str, options: Iterable[str]) -> None:
    await on.run(["exportfs", "-i", "-o", ",".join(options), f"{client}:{directory}"])


async def remove(on: Computer, place: Path) -> None:
    """exportfs has the kernel forget what it knew, and with it the files that no client has open."""
    for each in entries(on):
        if each.directory == str(place):
            await on.run(["exportfs", "-u", f"{each.client}:{place}"])
    found = entries(on)
    for each in found:
        if each.directory == str(place.parent) and not _has_more(found, each.directory):
            await on.run(["exportfs", "-u", f"{each.client}:{each.directory}"])


def _has_more(found: Iterable[Entry], directory: str) -> bool:
    return any(each.directory.startswith(f"{directory}/") for each in found)


async def forget(on: Computer) -> None:
    """Have the kernel ask again for everything that it knows of exports."""
    await on.run(["exportfs", "-f"])
