"""Carries out the verb of ``verbs/data.py``, through wipefs(8) and lvm(8)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from appliance.errors import ApplianceError, Conflict, NotFound
from appliance.privileged import durable
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.verb import Done
from appliance.privileged.verbs.data import GROUP, Chosen, Prepare

FILE = "storage.json"
"""What was chosen, beside the configuration."""
_REPORT = ["--reportformat", "json", "--options", "pv_name,vg_name"]


async def prepare(verb: Prepare, on: Computer, tell: Tell) -> Done:
    """Everything is looked at before the first disk is cleared."""
    found = await _listed(on) if verb.disks else []
    devices = [_device(found, each) for each in verb.disks]
    members = await _members(on) if devices else set()
    new = [each for each in devices if _path(each) not in members]
    for number, device in enumerate(new):
        tell(number / len(new), f"clearing {device['name']}")
        await _clear(on, device)
    if new:
        command = "vgextend" if members else "vgcreate"
        await on.run([command, "--yes", GROUP, *(_path(each) for each in new)], 60.0)
    text = msgspec.json.encode(Chosen(verb.disks)).decode()
    durable.write(on.roots.state / "etc" / "qrm" / FILE, f"{text}\n")
    return Done()


async def _listed(on: Computer) -> list[Mapping[str, Any]]:
    columns = "NAME,TYPE,SERIAL,WWN,MOUNTPOINTS"
    said = await on.run(["lsblk", "--json", "--tree", "--output", columns])
    return [each for each in json.loads(said or "{}").get("blockdevices") or [] if each.get("type") == "disk"]


def _device(listed: list[Mapping[str, Any]], identifier: str) -> Mapping[str, Any]:
    """The one disk of this name; raises where it is not there, or not free."""
    named = [each for each in listed if identifier in (each.get("serial"), each.get("wwn"))]
    if not identifier or len(named) != 1:
        what = f"{identifier[:80]!r} is {'more than one disk' if named else 'no disk'} of this computer"
        raise NotFound("disk-unknown", what, "load the list of disks anew", "disks")
    places = _mounted(named[0])
    if places & {"/", "/state"}:
        raise Conflict("disk-own", f"the appliance runs from {identifier}", "choose another disk", "disks")
    if places:
        what = f"{identifier} is in use: mounted on {sorted(places)[0]}"
        raise Conflict("disk-busy", what, "choose another disk", "disks")
    return named[0]


def _mounted(device: Mapping[str, Any]) -> set[str]:
    places = {str(each) for each in device.get("mountpoints") or [] if each}
    return places.union(*(_mounted(each) for each in device.get("children") or []))


def _path(device: Mapping[str, Any]) -> str:
    return str(Path("/dev") / Path(str(device["name"])).name)


async def _members(on: Computer) -> set[str]:
    """Devices that are in the data group already."""
    report = json.loads(await on.run(["pvs", *_REPORT]) or "{}").get("report") or [{}]
    return {str(each.get("pv_name")) for each in report[0].get("pv") or [] if each.get("vg_name") == GROUP}


async def _clear(on: Computer, device: Mapping[str, Any]) -> None:
    """Signatures of the partitions first: a table that is made again would find them where they were.

    wipefs(8) opens without being shared: what anything holds (a RAID, another volume group) it leaves as it is.
    """
    parts = [each for each in device.get("children") or [] if each.get("type") == "part"]
    try:
        await on.run(["wipefs", "--all", *(_path(each) for each in (*parts, device))])
    except ApplianceError as error:
        what = f"{device['name']} could not be cleared: {error.message}"
        raise Conflict("disk-busy", what, "something uses it: choose another disk", "disks") from error
