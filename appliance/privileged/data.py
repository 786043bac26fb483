"""Carries out the verbs of ``verbs/data.py``, through wipefs(8) and lvm(8)."""

import json
import logging
from collections.abc import Iterable

import msgspec

from appliance.decoding import decoded
from appliance.errors import ApplianceError, Conflict
from appliance.privileged import durable, free_disks
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.disks import left_over
from appliance.privileged.lvm import groups
from appliance.privileged.verb import Done
from appliance.privileged.verbs.data import GROUP, Choice, Chosen, Prepare
from appliance.privileged.verbs.lvm import Group

log = logging.getLogger(__name__)

FILE = "storage.json"
"""What was chosen, beside the configuration."""
METADATA = ["--metadatasize", "16m"]
"""What LVM notes of a group has to fit twice into this part of each disk: enough for ten thousand volumes."""


async def choice(verb: Choice, on: Computer, tell: Tell) -> Chosen:
    """As ``prepare`` wrote it down; raises ApplianceError ``storage-unreadable``."""
    place = on.roots.state / "etc" / "qrm" / FILE
    text = durable.read(place)
    try:
        return decoded(text, Chosen) if text else Chosen()
    except msgspec.DecodeError as error:
        hint = "remove it: then it counts as if nobody had chosen disks yet"
        raise ApplianceError("storage-unreadable", f"{place}: {error}", hint) from error


async def prepare(verb: Prepare, on: Computer, tell: Tell) -> Done:
    """What was chosen is kept once it is there."""
    if verb.disks:
        await _of_disks(verb, on, tell)
    else:
        await _of_the_rest(on, tell)
    text = msgspec.json.encode(Chosen(verb.disks)).decode()
    durable.write(on.roots.state / "etc" / "qrm" / FILE, f"{text}\n")
    return Done()


async def _of_disks(verb: Prepare, on: Computer, tell: Tell) -> None:
    """Everything is looked at before the first disk is cleared."""
    found = await free_disks.listed(on)
    devices = [free_disks.disk(found, each) for each in verb.disks]
    there = await groups(on, live=False)
    data = _data(there)
    members = free_disks.members(data)
    new = [each for each in devices if free_disks.path(each) not in members]
    ours = free_disks.members(each for each in there if each.is_pool)
    for device in new:
        free_disks.check_in_no_pool(device, ours)
    for number, device in enumerate(new):
        tell(number / len(new), f"clearing {device['name']}")
        await free_disks.clear(on, device)
    if new:
        command = "vgextend" if data else "vgcreate"
        await on.run([command, "--yes", *METADATA, GROUP, *map(free_disks.path, new)], 60.0)


def _data(there: Iterable[Group]) -> list[Group]:
    """The data group; there is none before disks are given to it."""
    return [each for each in there if each.name == GROUP]


async def _of_the_rest(on: Computer, tell: Tell) -> None:
    """The group of the appliance's own disk; one that is there stays as it is, whatever it is made of.

    Nothing is cleared: nobody was asked. After a factory reset the partition still holds the group with all its data,
    and only LVM's list of devices, which was on the state partition, has to learn of it again.
    """
    if (path := left_over(on)) is None:
        tell(None, "the appliance's own disk has nothing left for a data group: disks can be given to it later")
        return
    if _data(await groups(on, live=False)):
        return
    match await _signatures(on, path):
        case []:
            tell(None, "making the data group on what the appliance's own disk has left")
            await on.run(["vgcreate", "--yes", *METADATA, GROUP, path], 60.0)
        case ["LVM2_member"]:
            await _learn(on, path)
        case found:
            raise _foreign(path, ", ".join(found))


async def _learn(on: Computer, path: str) -> None:
    """Have LVM's list of devices name a disk again, and the others of its group, of which the first one tells.

    Debian's package has no program lvmdevices: it is a command of lvm(8) only, as vgimportdevices is. Where LVM keeps
    no list (lvm.conf(5), use_devicesfile) it knows all disks there are, and refuses; that is how a developer's is.
    """
    why = ""
    try:
        await on.run(["lvm", "lvmdevices", "--yes", "--adddev", path])
    except ApplianceError as error:
        log.info("LVM's list of devices stays as it is: %s", why := error.message)
    found = [each for each in _data(await groups(on, live=False)) if path in free_disks.members([each])]
    if not found:
        raise _foreign(path, f"a volume group of somebody else{f' ({why})' if why else ''}")
    if not why:
        await on.run(["lvm", "vgimportdevices", "--yes", "--select", f"vg_uuid={found[0].uuid}"])


async def _signatures(on: Computer, path: str) -> list[str]:
    """What is recognised on a device, each kind once."""
    said = json.loads(await on.run(["wipefs", "--no-act", "--json", path]) or "{}")
    return sorted({str(each.get("type")) for each in said.get("signatures") or []})


def _foreign(path: str, what: str) -> Conflict:
    hint = f"choose disks for the data group; or look at it, and where it is not wanted: wipefs --all {path}"
    return Conflict("disk-busy", f"{path}, what the appliance's own disk has left, holds {what}", hint, "disks")
