"""The volume that is to be exported: found by the group's UUID and our tags, and by nothing that is less sure."""

import errno
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from appliance.decoding import decoded
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.export import ONE_ONLY
from appliance.privileged.computer import Computer
from appliance.privileged.lvm import said
from appliance.privileged.verbs.lvm import place
from appliance.privileged.verbs.lvm_tags import FILE_SYSTEM, ID, POOL, STATE, tag, value
from appliance.volume import VolumeId, check_id

_GROUP = re.compile(r"[A-Za-z0-9]{6}(-[A-Za-z0-9]{4}){5}-[A-Za-z0-9]{6}")
_VOLUME_OF = re.compile(r"-v--([0-9a-f]{16})")


class _Row(msgspec.Struct):
    """What lvs(8) is asked for."""

    vg_name: str
    vg_uuid: str
    vg_tags: str
    lv_name: str
    lv_tags: str
    lv_dm_path: str
    lv_active: str
    lv_permissions: str


class _Part(msgspec.Struct):
    lv: Sequence[_Row] = ()


class _Report(msgspec.Struct):
    report: Sequence[_Part]


@dataclass(frozen=True, slots=True)
class Held:
    """A volume of ours, ready to be exported."""

    id: VolumeId
    device: str
    """As ``/dev/mapper/qrm-v--0123456789abcdef``: that never changes."""
    called: str
    """``group/volume``, for LVM."""
    read_only: bool
    file_system: str
    """Type of a file system that we have made; empty where there is none."""


async def held(on: Computer, group: str, volume: str) -> Held:
    """The volume; it is made active where it is not.

    Raises Invalid ``volume-id``, ``group-uuid``; NotFound ``volume-unknown``; Conflict ``volume-busy``.
    """
    key = check_id(volume)
    if not _GROUP.fullmatch(group):
        hint = "it is written as LVM says it, in six groups"
        raise Invalid("group-uuid", f"{group[:60]!r} is no UUID of a volume group", hint, "group")
    found = await _reported(on, group, key)
    called, tags = f"{found.vg_name}/{found.lv_name}", found.lv_tags.split(",")
    if state := value(tags, STATE):
        hint = "look at the pool again when that is done"
        raise Conflict("volume-busy", f"volume {key} is in the middle of something: {state}", hint, "volume")
    if found.lv_active != "active":
        await said(on, "lvchange", "--yes", "--activate", "y", called)
    read_only = found.lv_permissions.startswith("read-only")
    return Held(key, found.lv_dm_path, called, read_only, value(tags, FILE_SYSTEM))


async def _reported(on: Computer, group: str, key: VolumeId) -> _Row:
    """The one row; what lacks our tags is not there for us."""
    select = f'vg_uuid="{group}" && lv_name="{place(key)}"'
    columns = ",".join(_Row.__struct_fields__)
    told = await said(on, "lvs", "--reportformat", "json", "--options", columns, "--select", select)
    try:
        rows = [row for part in decoded(told, _Report).report for row in part.lv]
    except msgspec.DecodeError as error:
        raise ApplianceError("storage-unreadable", f"what lvs says cannot be read: {error}") from error
    ours = [row for row in rows if POOL in row.vg_tags.split(",") and tag(ID, key) in row.lv_tags.split(",")]
    if len(ours) != 1 or ours[0].vg_uuid != group:
        raise NotFound("volume-unknown", f"there is no volume {key} of ours in the pool", "look at the pool", "volume")
    return ours[0]


def check_written(of: Held, read_only: bool) -> None:
    """Raises Conflict ``volume-read-only`` where somebody is to write to what nobody writes to."""
    if of.read_only and not read_only:
        text = f"volume {of.id} is a golden image or a snapshot: nobody writes to it"
        raise Conflict("volume-read-only", text, "export it read-only, or make a clone of it", "read_only")


def check_free(on: Computer, of: Held) -> None:
    """Raises Conflict ``volume-in-use`` where something has its device for itself: a mount, a target, a VM."""
    try:
        descriptor = os.open(on.roots.dev / of.device.removeprefix("/dev/"), os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise in_use(of) from error
        raise ApplianceError("storage-failed", f"{of.device}: {error.strerror}", "look at the pool's disks") from error
    os.close(descriptor)


def in_use(of: Held) -> Conflict:
    """What is said of a volume that somebody else has."""
    return Conflict("volume-in-use", f"volume {of.id} is in use already", ONE_ONLY, "volume")


def granted_otherwise(export: str) -> Conflict:
    """What is said of an export whose id is that of another one."""
    text = f"export {export} is granted already, for another machine or volume, or in another way"
    return Conflict("export-other", text, "revoke it first", "id")


async def give_up_file_system(on: Computer, of: Held) -> None:
    """Nobody knows any more what is on it: it is written below the file system from now on."""
    if of.file_system:
        await said(on, "lvchange", "--yes", "--deltag", tag(FILE_SYSTEM, of.file_system), of.called)


def volume_of(device: str) -> str:
    """The id of the volume that a device is; empty for any other. Device-mapper writes ``--`` for each ``-``."""
    found = _VOLUME_OF.search(device) if device.startswith("/dev/mapper/") else None
    return found[1] if found and device.endswith(found[0]) else ""
