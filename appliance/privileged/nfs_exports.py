"""Carries out the verbs of ``verbs/nfs_exports.py``: mount, export, serve; and back.

The mount is made in the namespace of PID 1, which the kernel's NFS server and rpc.mountd(8) look into; the helper's own
would show them an empty directory. All of it is in /run and in the kernel: after a restart of the appliance nothing is
left. A grant that was cut off is finished by the next one; a revocation does what is left to do, in this order:

 1. the export goes from the table, and the kernel forgets it: from here on every request of the machine is refused
 2. what it holds open is taken away
 3. the mount goes, then its directory
"""

import os
from contextlib import suppress
from pathlib import Path

from appliance.errors import ApplianceError, Conflict
from appliance.export import check_address, check_export_id, nfs_options
from appliance.privileged import durable, ext4_size, nfs_server, nfs_table
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.exported_volume import (
    Held,
    check_free,
    check_written,
    granted_otherwise,
    held,
    in_use,
    volume_of,
)
from appliance.privileged.mounts import Mount, mounted_below
from appliance.privileged.verbs.exports import Exported, Granted, Revoked
from appliance.privileged.verbs.nfs_exports import NfsGrant, NfsRevoke

TYPES: dict[str, tuple[str, ...]] = {"ext4": (), "xfs": ("nouuid",)}
"""What is mounted, with its own options: a clone of an XFS has the UUID of what it was cloned from."""
GROWS = ext4_size.KIND
"""What fills its volume once it is mounted: a clone may be larger than what it was cloned from."""
_THERE = ("nsenter", "--mount=/proc/1/ns/mnt", "--")
"""Before words that are to be done where PID 1 is; systemd-mount(1) and systemd-run(1) take twice as long."""
_OPTIONS = ("nosuid", "nodev", "noexec")
"""Nothing on it is for the appliance itself."""
ATTEMPTS = 3
"""To unmount: what the kernel was answering in that moment may hold it."""


async def grant(verb: NfsGrant, on: Computer, tell: Tell) -> Granted:
    """As ``NfsGrant`` says."""
    key = check_export_id(verb.id)
    check_address(verb.address, "address")
    check_address(verb.server, "server")
    volume = await held(on, verb.group, verb.volume)
    check_written(volume, verb.read_only)
    _check_filled(volume)
    place = nfs_table.place(on, verb.address, key)
    _check_same(on, verb, volume, place)
    _make_rooms(on, place)
    if key not in mounted_below(on, nfs_table.room(on)):
        await _mount(on, verb, volume, place)
    if volume.file_system == GROWS and not verb.read_only:
        await _grow(on, volume)
    await nfs_table.add(on, place, nfs_options(key, verb.read_only))
    if verb.serve:
        await nfs_server.serve(on, verb.server)
    return Granted(verb.server, f"/{key}")


def _check_filled(of: Held) -> None:
    if of.file_system not in TYPES:
        text = f"volume {of.id} holds no file system that the appliance has made itself"
        hint = "give it to the machine as a disk, or make a network root of the image first"
        raise Conflict("volume-not-filled", text, hint, "volume")


def _check_same(on: Computer, verb: NfsGrant, volume: Held, place: Path) -> None:
    """What is there of this export must be of this grant, and nobody else may write to the volume."""
    mounts = mounted_below(on, nfs_table.room(on))
    there = mounts.get(place.name)
    if set(nfs_table.places(on, verb.id)) - {place} or (there and not _is(there, volume, verb.read_only)):
        raise granted_otherwise(verb.id)
    for each in nfs_table.entries(on):
        if each.directory == str(place) and (each.client, each.read_only) != (verb.address, verb.read_only):
            raise granted_otherwise(verb.id)
    others = [each for name, each in mounts.items() if name != place.name and volume_of(each.device) == volume.id]
    if any(not (each.read_only and verb.read_only) for each in others):
        raise in_use(volume)
    if not there and not others:
        check_free(on, volume)


def _is(mount: Mount, volume: Held, read_only: bool) -> bool:
    return volume_of(mount.device) == volume.id and mount.read_only == read_only


def _make_rooms(on: Computer, place: Path) -> None:
    """No user of the appliance itself comes near: the server does not need to go through what is above an export."""
    durable.make_directory(nfs_table.state(on))
    durable.make_directory(nfs_table.room(on))
    os.chmod(nfs_table.room(on), 0o700)
    durable.make_directory(place)
    # Again, whoever made it: one that was killed before it had set the mode left what nobody's client comes through.
    os.chmod(place.parent, 0o755)  # noqa: S103


async def _mount(on: Computer, verb: NfsGrant, volume: Held, place: Path) -> None:
    options = ",".join(("ro" if verb.read_only else "rw", *_OPTIONS, *TYPES[volume.file_system]))
    words = ["--types", volume.file_system, "--options", options, volume.device, str(place)]
    await on.run([*_THERE, "mount", *words], 120.0)


async def _grow(on: Computer, volume: Held) -> None:
    """Nothing where it fills the volume. The kernel itself does it, while it is mounted."""
    if not ext4_size.fills(on.roots.dev / volume.device.removeprefix("/dev/")):
        await on.run([*_THERE, "resize2fs", volume.device], 120.0)


async def revoke(verb: NfsRevoke, on: Computer, tell: Tell) -> Revoked:
    """As ``NfsRevoke`` says."""
    key = check_export_id(verb.id)
    left = ""
    for place in nfs_table.places(on, key):
        await nfs_table.remove(on, place)
        tell(None, "writing what is not on the disk yet")
        left = await _unmounted(on, place, tell)
        os.rmdir(place)
    for each in nfs_table.room(on).glob("*"):
        with suppress(OSError):  # the machine has others
            os.rmdir(each)
    return Revoked(left)


async def _unmounted(on: Computer, place: Path, tell: Tell) -> str:
    """What the kernel still has of it, in words."""
    for attempt in range(ATTEMPTS):
        mounts = mounted_below(on, nfs_table.room(on))
        if place.name not in mounts:
            return ""
        if attempt:
            tell(None, "the kernel still uses it: once more")
            await nfs_table.forget(on)
        _cut_off(on, place, mounts)
        with suppress(ApplianceError):  # somebody holds it
            await on.run([*_THERE, "umount", str(place)], 150.0)
    return await _let_go(on, place)


def _cut_off(on: Computer, place: Path, mounts: dict[str, Mount]) -> None:
    """Only this machine, where others use the same file system."""
    device = mounts[place.name].device
    if any(name != place.name and each.device == device for name, each in mounts.items()):
        nfs_server.expire(on, place.parent.name)
    else:
        nfs_server.cut_off(on, place)


async def _let_go(on: Computer, place: Path) -> str:
    """The last resort: it is nowhere any more, and goes when the last who holds it does."""
    room = nfs_table.room(on)
    if place.name not in mounted_below(on, room):
        return ""
    await on.run([*_THERE, "umount", "--lazy", str(place)], 60.0)
    if place.name in mounted_below(on, room):
        text = f"export {place.name} is refused to its machine, but its file system is still mounted"
        raise ApplianceError("export-not-revoked", text, "revoke it again; restart the appliance where that fails")
    return "the kernel keeps its volume until something that holds it lets go"


def exported(on: Computer) -> list[Exported]:
    """What there is: a directory for each, what is mounted there, and what the table says of it."""
    room, entries, connected = nfs_table.room(on), nfs_table.entries(on), nfs_server.connected(on)
    mounts, runs = mounted_below(on, room), nfs_server.runs(on)
    given = {each.directory for each in entries}
    found = []
    for place in sorted(room.glob("*/*"), key=lambda each: each.name):
        mount, client = mounts.get(place.name), place.parent.name
        volume, read_only = (volume_of(mount.device), mount.read_only) if mount else ("", False)
        whole = mount is not None and str(place) in given and runs
        found.append(Exported("nfs", True, place.name, volume, client, f"/{place.name}", read_only, whole,
                              client in connected))  # fmt: skip
    return found + [
        Exported("nfs", False, client=each.client, place=each.directory, read_only=each.read_only, whole=True)
        for each in entries
        if not each.directory.startswith(f"{room}/")
    ]
