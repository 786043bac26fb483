"""Carries out the verbs of ``verbs/lvm_pools.py``, which make, extend and retire pools and copy LVM's notes."""

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from appliance.errors import Conflict, Invalid, NotFound
from appliance.privileged import durable, free_disks
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.data import METADATA
from appliance.privileged.free_disks import Device
from appliance.privileged.lvm import change, check_called, groups, pool
from appliance.privileged.thin_layout import ThinLayout, thin_layout
from appliance.privileged.verb import Done
from appliance.privileged.verbs.lvm import THIN_POOL_NAME, Group
from appliance.privileged.verbs.lvm_pools import Adopt, BackUp, ExtendPool, GrowPool, MakePool, Part, Retire
from appliance.privileged.verbs.lvm_tags import POOL, THIN_POOL
from appliance.volume import GRAIN

COPIES = 14
"""Days of which a copy of LVM's notes of a group is kept."""
BACKUPS = "lvm"
"""Below /state."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")


async def make(verb: MakePool, on: Computer, tell: Tell) -> Done:
    """A group that was made before power was cut has the name and exactly these disks: then it is made a pool of."""
    if not _NAME.fullmatch(verb.group):
        hint = "use 1 to 63 letters, digits, dots, hyphens and underscores; a letter or digit first"
        raise Invalid("group-name", f"{verb.group[:80]!r} cannot be the name of a volume group", hint, "group")
    if not verb.parts:
        raise Invalid("disks-missing", "a pool is made of one disk at least", "choose disks", "disks")
    devices = await _devices(on, verb.parts)
    made = await _named(on, verb.group)
    paths = [free_disks.path(each) for each in devices]
    if made and free_disks.members([made]) != free_disks.real(paths):
        text = f"there is a volume group {verb.group} already"
        raise Conflict("group-name-taken", text, "choose another name, or make a pool of that group", "group")
    if not made:
        _check_place_is_free(on.roots.dev / verb.group)
        await _cleared(on, tell, devices, verb.parts)
        await change(on, "vgcreate", "--yes", *METADATA, verb.group, *paths)
        made = await _named(on, verb.group)
    if made is None:
        raise NotFound("pool-missing", f"the volume group {verb.group} is not there", "look at the disks again")
    await _make_pool(on, made, verb.thin)
    return Done()


async def adopt(verb: Adopt, on: Computer, tell: Tell) -> Done:
    """The tag of the group comes last: it is no pool of ours before all of it is there."""
    found = [each for each in await groups(on, live=False) if each.uuid == verb.group]
    if len(found) != 1:
        hint = "see that its disks are connected, then look at the groups again"
        raise NotFound("pool-missing", f"there is no volume group {verb.group[:48]!r}", hint)
    check_called(found[0], verb.group_name)
    if found[0].exported or any(each.missing for each in found[0].members):
        text = f"{found[0].name} is not complete: it was exported, or a disk of it is missing"
        raise Conflict("pool-incomplete", text, "connect all of its disks, or import it with vgimport")
    if GRAIN % found[0].extent:
        text = f"{found[0].name} has extents of {found[0].extent} bytes: volumes could not have the sizes that they get"
        raise Conflict("pool-extents", text, f"vgchange --physicalextentsize 4m {found[0].name}")
    await _make_pool(on, found[0], verb.thin)
    return Done()


async def extend(verb: ExtendPool, on: Computer, tell: Tell) -> Done:
    """What the thin pool is to have of it is given by ``lvm.grow-pool``."""
    group = await pool(on, verb.group)
    devices = await _devices(on, [verb.part])
    if not free_disks.real([free_disks.path(devices[0])]) <= free_disks.members([group]):
        await _cleared(on, tell, devices, [verb.part])
        await change(on, "vgextend", "--yes", *METADATA, group.name, free_disks.path(devices[0]))
    return Done()


async def retire(verb: Retire, on: Computer, tell: Tell) -> Done:
    """LVM forgets the disks; there is nothing on them then that it would know again."""
    group = await pool(on, verb.group)
    check_called(group, verb.group_name)
    if there := [each.name for each in group.volumes if THIN_POOL not in each.tags]:
        text = f"{group.name} still has {', '.join(sorted(there)[:5])}{' and more' if len(there) > 5 else ''}"
        raise Conflict("pool-not-empty", text, "delete its volumes; what is not ours is removed by hand: lvremove")
    devices = [each.device for each in group.members if not each.missing]
    await change(on, "vgremove", "--yes", group.name)
    for each in devices:
        await change(on, "pvremove", "--yes", each)
        await change(on, "lvm", "lvmdevices", "--yes", "--deldev", each)
    return Done()


async def grow(verb: GrowPool, on: Computer, tell: Tell) -> Done:
    """Whole extents; the spare grows with the metadata."""
    group = await pool(on, verb.group)
    if group.thin_pool is None:
        raise Conflict("pool-thick", f"{group.name} has no thin pool", "a thick pool has all of its group already")
    data, metadata = (-(-max(0, each) // group.extent) * group.extent for each in (verb.data, verb.metadata))
    if data + 2 * metadata > group.free:
        text = f"{group.name} has {group.free} bytes left"
        raise Conflict("pool-too-small", text, "add a disk to the pool", "data")
    path = f"{group.name}/{group.thin_pool.name}"
    if metadata:  # first: data that cannot be noted is of no use
        await change(on, "lvextend", "--yes", "--poolmetadatasize", f"+{metadata}b", path)
    if data:
        await change(on, "lvextend", "--yes", "--size", f"+{data}b", path)
    return Done()


async def back_up(verb: BackUp, on: Computer, tell: Tell) -> Done:
    """By the group's UUID and the day; vgcfgrestore(8) reads it."""
    try:
        day = date.fromisoformat(verb.day).isoformat()
    except ValueError:
        raise Invalid("day-broken", f"{verb.day[:40]!r} is no day", "such as 2026-11-22", "day") from None
    group = await pool(on, verb.group)
    directory = on.roots.state / BACKUPS / group.uuid
    durable.make_directory(directory)
    await change(on, "vgcfgbackup", "--file", str(directory / f".{day}.new"), group.name)
    durable.move(directory / f".{day}.new", directory / f"{day}.vg")
    for old in _copies(directory)[:-COPIES]:
        durable.remove(old)
    return Done()


def _copies(directory: Path) -> list[Path]:
    """Oldest first."""
    return sorted(directory.glob("????-??-??.vg"))


# -- one step each


async def _devices(on: Computer, parts: Sequence[Part]) -> list[Device]:
    """All of them, found and free; none twice."""
    listed = await free_disks.listed(on)
    found = [_device(on, listed, each) for each in parts]
    if len({str(each["name"]) for each in found}) != len(found):
        raise Invalid("disks-repeated", "one disk is named twice", "name each disk once", "disks")
    return found


def _device(on: Computer, listed: Sequence[Device], part: Part) -> Device:
    if part.partition:
        return free_disks.partition(on, listed, part.disk, part.partition)
    return free_disks.disk(listed, part.disk)


async def _cleared(on: Computer, tell: Tell, devices: Sequence[Device], parts: Sequence[Part]) -> None:
    """Nothing is, where anything is on one of them that nobody has agreed to lose."""
    ours = free_disks.members(each for each in await groups(on, live=False) if each.is_pool)
    for device, part in zip(devices, parts, strict=True):
        free_disks.check_agreed(device, part.holds)
        free_disks.check_in_no_pool(device, ours)
    for number, device in enumerate(devices):
        tell(number / len(devices), f"clearing {device['name']}")
        await free_disks.clear(on, device)


def _check_place_is_free(place: Path) -> None:
    """Where its volumes will be; udev may have left an empty directory there."""
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise Conflict("group-name-taken", f"{place} is there already", "choose another name", "group")


async def _named(on: Computer, name: str) -> Group | None:
    found = [each for each in await groups(on, live=False) if each.name == name]
    if len(found) > 1:
        text = f"there are {len(found)} volume groups called {name}"
        raise Conflict("group-name-taken", text, "rename all but one by their UUIDs: vgrename", "group")
    return found[0] if found else None


async def _make_pool(on: Computer, group: Group, thin: bool) -> None:
    """Repeated after a power cut, it goes on: half a thin pool carries our tag, and is removed."""
    if group.is_pool:
        return
    if thin and group.thin_pool is None:
        for half in (each for each in group.volumes if THIN_POOL in each.tags):
            await change(on, "lvremove", "--yes", f"{group.name}/{half.name}")
        if any(each.name == THIN_POOL_NAME and THIN_POOL not in each.tags for each in group.volumes):
            text = f"{group.name}/{THIN_POOL_NAME} is there and carries no mark of ours"
            raise Conflict("pool-name-taken", text, "rename it: lvrename")
        await _make_thin_pool(on, group, thin_layout(group.free, group.extent))
    await change(on, "vgchange", "--yes", "--addtag", POOL, group.name)


async def _make_thin_pool(on: Computer, group: Group, layout: ThinLayout) -> None:
    """New blocks read as zeros. While there is no room, writes wait, and fail after a minute (dm-thin)."""
    words = ["--size", f"{layout.data}b", "--poolmetadatasize", f"{layout.metadata}b", "--poolmetadataspare", "y"]
    words += ["--chunksize", f"{layout.chunk}b", "--zero", "y", "--discards", "passdown"]
    words += ["--name", THIN_POOL_NAME, "--addtag", THIN_POOL]
    await change(on, "lvcreate", "--yes", "--type", "thin-pool", *words, group.name)
