"""Disks and partitions that are to become part of a volume group: found by what they are called for good, and cleared.

Everything is looked at before the first of them is cleared. lsblk(8) and wipefs(8) say what is on them, and LVM itself
refuses what it has in use.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from appliance.errors import ApplianceError, Conflict, NotFound
from appliance.privileged.computer import Computer
from appliance.privileged.disks import below, contents, devices, left_over, mounted
from appliance.privileged.verbs.lvm import Group

Device = Mapping[str, Any]


async def listed(on: Computer) -> list[Device]:
    """All whole disks, with what is on them below ``children``."""
    return [each for each in await devices(on) if each.get("type") == "disk"]


def disk(found: Sequence[Device], identifier: str) -> Device:
    """The one disk of this serial number or WWN, free.

    Raises NotFound ``disk-unknown``, Conflict ``disk-own``, ``disk-busy``.
    """
    named = _named(found, identifier)
    places = mounted(named)
    if places & {"/", "/state"}:
        raise Conflict("disk-own", f"the appliance runs from {identifier}", "choose another disk", "disks")
    _check_not_mounted(places, identifier)
    return named


def partition(on: Computer, found: Sequence[Device], identifier: str, uuid: str) -> Device:
    """One partition of a disk; of the appliance's own, the one with what the system has left. Raises as ``disk``."""
    parts: list[Device] = [
        each for each in _named(found, identifier).get("children") or [] if each.get("partuuid") == uuid
    ]
    if not uuid or len(parts) != 1:
        what = f"{identifier} has no partition {uuid[:40]!r}"
        raise NotFound("disk-unknown", what, "load the list of disks anew", "disks")
    left = Path(left_over(on) or "").name
    if mounted(_named(found, identifier)) & {"/", "/state"} and Path(path(parts[0])).name != left:
        text = f"{parts[0]['name']} belongs to the system of the appliance"
        raise Conflict("disk-own", text, "choose another partition", "disks")
    _check_not_mounted(mounted(parts[0]), str(parts[0]["name"]))
    return parts[0]


def check_agreed(device: Device, holds: Sequence[str]) -> None:
    """Raises Conflict ``disk-changed`` where there is something on it that nobody has agreed to lose.

    Less than that is no matter: it was cleared already, and the power went.
    """
    now = contents(device)
    if not set(now) <= set(holds):
        what = f"{device['name']} holds {', '.join(now)}, and not only what was agreed to be lost"
        raise Conflict("disk-changed", what, "load the list of disks anew, and look at what is on it", "disks")


def path(device: Device) -> str:
    """Its device file."""
    return str(Path("/dev") / Path(str(device["name"])).name)


def real(paths: Iterable[str]) -> set[str]:
    """Device files by the kernel's names: LVM calls them as it likes."""
    return {os.path.realpath(each) for each in paths}


def members(groups: Iterable[Group]) -> set[str]:
    """The disks of these volume groups that are here, by the kernel's names."""
    return real(each.device for group in groups for each in group.members if not each.missing)


def check_in_no_pool(device: Device, members: set[str]) -> None:
    """Raises Conflict ``disk-busy`` where it, or a partition of it, is among the ``real`` members of a pool.

    wipefs(8) would not see that anybody has it while no volume of the pool is active.
    """
    if members & real(path(each) for each in below(device)):
        text = f"{device['name']} belongs to a pool"
        raise Conflict("disk-busy", text, "choose another disk, or retire that pool first", "disks")


async def clear(on: Computer, device: Device) -> None:
    """Signatures of the partitions first: a table that is made again would find them where they were.

    wipefs(8) opens without being shared: what anything holds (a RAID, another volume group) it leaves as it is.
    """
    parts = [each for each in device.get("children") or [] if each.get("type") == "part"]
    try:
        await on.run(["wipefs", "--all", *(path(each) for each in (*parts, device))])
    except ApplianceError as error:
        what = f"{device['name']} could not be cleared: {error.message}"
        raise Conflict("disk-busy", what, "something uses it: choose another disk", "disks") from error


def _named(found: Sequence[Device], identifier: str) -> Device:
    named = [each for each in found if identifier in (each.get("serial"), each.get("wwn"))]
    if not identifier or len(named) != 1:
        what = f"{identifier[:80]!r} is {'more than one disk' if named else 'no disk'} of this computer"
        raise NotFound("disk-unknown", what, "load the list of disks anew", "disks")
    return named[0]


def _check_not_mounted(places: set[str], what: str) -> None:
    if places:
        text = f"{what} is in use: mounted on {sorted(places)[0]}"
        raise Conflict("disk-busy", text, "choose another disk", "disks")
