"""What LVM says, and how it is told to do something: reports are JSON (lvmreport(7)), programs are never killed.

``lvm fullreport`` reads all of a group under one lock: what it says fits together. A column that belongs to another
part of the report (``thin_id`` is one of segments) makes it refuse all of it.
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress

import msgspec

from appliance.decoding import decoder
from appliance.errors import ApplianceError, Conflict, NotFound
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.verbs.lvm import Group, Logical, Member, Report
from appliance.volume import LET_GO, check_id, in_use

_GROUP = ("vg_uuid", "vg_name", "vg_tags", "vg_size", "vg_free", "vg_extent_size", "vg_exported")
_MEMBER = ("pv_uuid", "pv_name", "pv_size", "pv_missing")
_NOTED = ("lv_uuid", "lv_name", "lv_size", "lv_tags", "lv_layout", "pool_lv", "lv_path", "origin", "lv_metadata_size")
"""What LVM's own notes say of a logical volume."""
_LIVE = ("lv_attr", "data_percent", "metadata_percent", "lv_health_status")
"""What the kernel is asked for, one volume after the other."""
FOREVER = 7 * 86400.0
"""Seconds. A program that changes LVM's notes is not killed because a disk is slow: half a change helps nobody."""
_IN_USE = re.compile(r"in use|is used by another device|is active|busy", re.IGNORECASE)
_NO_ROOM = re.compile(r"insufficient (?:\w+ )*(?:space|extents)|not enough", re.IGNORECASE)
_FILLING = re.compile(r"reached threshold|above threshold", re.IGNORECASE)


async def report(verb: Report, on: Computer, tell: Tell) -> list[Group]:
    """Raises ApplianceError ``storage-failed``, ``storage-unreadable``."""
    if verb.settled:
        await settle(on)
    return await groups(on)


async def settle(on: Computer) -> None:
    """Wait for udev (udevadm(8)); where it takes too long, what it has open counts as in use."""
    with suppress(ApplianceError):
        await on.run(["udevadm", "settle", "--timeout=20"])


async def groups(on: Computer, live: bool = True) -> list[Group]:
    """Not ``live``: without what the kernel would have to be asked, which takes long where there are many."""
    return parsed(await said(on, *_words((*_NOTED, *_LIVE) if live else _NOTED)))


def _words(columns: Iterable[str]) -> list[str]:
    parts = {"vg": _GROUP, "pv": _MEMBER, "lv": columns}
    asked = [word for part, of in parts.items() for word in ("--configreport", part, "--options", ",".join(of))]
    # The parts that nobody wants cannot be left out; what is selected in them is nothing.
    none = ["--configreport", "pvseg", "--options", "pv_name", "--select", "pv_name=-"]
    none += ["--configreport", "seg", "--options", "lv_name", "--select", "lv_name=-"]
    return ["lvm", "fullreport", "--reportformat", "json", "--units", "b", "--nosuffix", *asked, *none]


async def pool(on: Computer, uuid: str, live: bool = False) -> Group:
    """A group of ours, as it is now; raises NotFound ``pool-missing``."""
    found = [each for each in await groups(on, live) if each.uuid == uuid]
    if len(found) != 1 or not found[0].is_pool:
        text = f"{uuid[:48]!r} is no volume group that is a pool of ours"
        raise NotFound("pool-missing", text, "see that its disks are connected, then look at the pools again")
    return found[0]


def volume(of: Group, key: str) -> Logical:
    """The one that is this volume, whole; raises NotFound ``volume-unknown``."""
    if (found := of.whole(check_id(key))) is None:
        text = f"{of.name} has no volume {key} of ours"
        raise NotFound("volume-unknown", text, "look at the pool again: it was deleted, or is not made yet")
    return found


def check_called(of: Group, name: str) -> None:
    """Raises Conflict ``pool-name-differs`` where a group is not called as whoever asked believes it to be."""
    if of.name != name:
        text = f"the volume group is called {of.name}, and not {name[:80]}"
        raise Conflict("pool-name-differs", text, "look at it again, and name it as it is called now", "name")


async def check_unused(on: Computer, group: Group, of: Logical) -> None:
    """Raises Conflict ``volume-in-use`` where anybody but udev has it open."""
    if of.open:
        await settle(on)
        of = volume(await pool(on, group.uuid, live=True), of.id)
    if of.open:
        raise in_use(of.name)


async def change(on: Computer, *words: str) -> None:
    """Have a program of LVM's change something; it is carried to its end, also where whoever waits for it is cancelled.

    Raises ApplianceError ``storage-failed`` with its words, and Conflict where it refuses: ``volume-in-use``,
    ``pool-too-small``, ``pool-filling``.
    """
    ended = asyncio.Event()

    async def whole() -> None:
        try:
            await said(on, *words)
        finally:
            ended.set()

    try:
        await asyncio.shield(whole())
    except asyncio.CancelledError:
        await ended.wait()
        raise


async def said(on: Computer, *words: str) -> str:
    """What a program of LVM's says that only looks; raises as ``change`` does."""
    try:
        return await on.run(list(words), FOREVER)
    except ApplianceError as error:
        raise _told(error) from error


def _told(error: ApplianceError) -> ApplianceError:
    if error.code != "program-failed":
        return error
    if _FILLING.search(error.message):
        return Conflict("pool-filling", error.message, "delete volumes, or add a disk to the pool")
    if _NO_ROOM.search(error.message):
        return Conflict("pool-too-small", error.message, "make it smaller, or add a disk to the pool", "size")
    if _IN_USE.search(error.message):
        return Conflict("volume-in-use", error.message, LET_GO)
    return ApplianceError(
        "storage-failed", error.message, "look at the disks of the pool, and at its group: vgck, dmesg"
    )


# -- the report's text


class _Vg(msgspec.Struct):
    vg_uuid: str
    vg_name: str
    vg_tags: str
    vg_size: int
    vg_free: int
    vg_extent_size: int
    vg_exported: str


class _Pv(msgspec.Struct):
    pv_uuid: str
    pv_name: str
    pv_size: int
    pv_missing: str


class _Lv(msgspec.Struct):
    lv_uuid: str
    lv_name: str
    lv_size: int
    lv_tags: str
    lv_layout: str
    pool_lv: str
    lv_path: str
    origin: str
    lv_metadata_size: str
    lv_attr: str = "----------"
    data_percent: str = ""
    metadata_percent: str = ""
    lv_health_status: str = ""


class _Part(msgspec.Struct):
    """Of one group; disks that are in none have a part without one."""

    vg: Sequence[_Vg] = ()
    pv: Sequence[_Pv] = ()
    lv: Sequence[_Lv] = ()


class _Report(msgspec.Struct):
    report: Sequence[_Part]


_DECODER = decoder(_Report, strict=False)
"""Not strict: LVM gives numbers as text."""


def parsed(text: str) -> list[Group]:
    """The groups of a report; raises ApplianceError ``storage-unreadable``."""
    try:
        return [_group(part) for part in _DECODER.decode(text).report if part.vg]
    except (msgspec.DecodeError, ValueError) as error:
        hint = "this is a defect, or another LVM than the appliance's: keep what `lvm fullreport` says"
        raise ApplianceError("storage-unreadable", f"LVM's report cannot be read: {error}", hint) from error


def _group(part: _Part) -> Group:
    of = part.vg[0]
    return Group(
        uuid=of.vg_uuid,
        name=of.vg_name,
        tags=_tags(of.vg_tags),
        size=of.vg_size,
        free=of.vg_free,
        extent=of.vg_extent_size,
        exported=bool(of.vg_exported),
        members=tuple(Member(each.pv_uuid, each.pv_name, each.pv_size, bool(each.pv_missing)) for each in part.pv),
        volumes=tuple(_logical(each) for each in part.lv),
    )


def _logical(of: _Lv) -> Logical:
    return Logical(
        of.lv_uuid,
        of.lv_name,
        of.lv_size,
        _tags(of.lv_tags),
        of.lv_layout,
        of.pool_lv,
        of.lv_attr,
        of.lv_path,
        of.origin,
        float(of.data_percent) if of.data_percent else None,
        float(of.metadata_percent) if of.metadata_percent else None,
        int(of.lv_metadata_size or 0),
        of.lv_health_status,
    )


def _tags(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()
