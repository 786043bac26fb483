"""Carries out the verbs of ``verbs/disks.py``, through lsblk(8) and smartctl(8)."""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from appliance.errors import ApplianceError, NotFound
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.verb import Done
from appliance.privileged.verbs.disks import DiskState, Identify, List, PartitionState, ReadSmart, Smart

COLUMNS = "NAME,TYPE,MODEL,SERIAL,WWN,SIZE,TRAN,ROTA,RM,PTTYPE,FSTYPE,LABEL,PARTLABEL,PARTTYPENAME,PARTUUID,MOUNTPOINTS"
"""What lsblk(8) is asked for of each device."""
LEFT = Path("disk/qrm/data")
"""The partition with what the system leaves of its disk; a disk that is too small has none."""
_NO_DISKS = ("loop", "ram", "zram", "nbd", "fd", "md", "dm-", "sr", "mtdblock")
_OURS = ("/", "/state", "/boot/efi")
"""Where the appliance's own disk is mounted."""
FEW = 4
"""Volumes of a disk or partition that have a line of their own in what is on it."""
BURSTS, BURST_SECONDS, BURST_BYTES = 20, 0.5, 4 << 20
"""A light that is on for the length of a read, and off for the rest of half a second, is seen across an aisle."""


async def disks(verb: List, on: Computer, tell: Tell) -> list[DiskState]:
    """Raises ApplianceError as ``command.said`` does."""
    left = left_over(on)
    return [_state(each, left) for each in await devices(on) if _is_disk(each)]


async def devices(on: Computer) -> list[Mapping[str, Any]]:
    """Everything that lsblk(8) knows, what is on a device below its ``children``."""
    said = json.loads(await on.run(["lsblk", "--json", "--bytes", "--tree", "--output", COLUMNS]) or "{}")
    return list(said.get("blockdevices") or [])


def left_over(on: Computer) -> str | None:
    """The partition with what the system leaves of its disk, if it does."""
    place = on.roots.dev / LEFT
    return str(place.resolve()) if place.exists() else None


def _is_disk(device: Mapping[str, Any]) -> bool:
    name = str(device.get("name"))
    return device.get("type") == "disk" and not name.startswith(_NO_DISKS) and int(device.get("size") or 0) > 0


def _state(device: Mapping[str, Any], left: str | None) -> DiskState:
    places = mounted(device)
    own = bool(places & set(_OURS))
    return DiskState(
        name=str(device["name"]),
        model=_word(device.get("model")),
        serial=_word(device.get("serial")),
        wwn=_word(device.get("wwn")),
        size=int(device["size"]),
        transport=_word(device.get("tran")),
        rotational=device.get("rota") in (True, 1, "1"),
        removable=device.get("rm") in (True, 1, "1"),
        holds=contents(device),
        own=own,
        mounted=min(places, default=""),
        partitions=[_partition(each, own, left) for each in _parts(device)],
        held=next((_made(each) for each in below(device) if each.get("type") not in ("disk", "part")), ""),
    )


def _made(device: Mapping[str, Any]) -> str:
    """What the kernel makes of disks, in words."""
    kind = str(device.get("type"))
    called = {"lvm": "the volume", "crypt": "the encrypted volume"}.get(kind, "the RAID" if "raid" in kind else kind)
    return f"{called} {_word(device.get('name'))}"


def _partition(device: Mapping[str, Any], own: bool, left: str | None) -> PartitionState:
    name = str(device["name"])
    return PartitionState(
        name=name,
        uuid=_word(device.get("partuuid")),
        size=int(device.get("size") or 0),
        holds=contents(device),
        mounted=min(mounted(device), default=""),
        own=own and name != Path(left or "").name,
    )


def mounted(device: Mapping[str, Any]) -> set[str]:
    """Where it, or anything on it, is mounted."""
    return {str(place) for each in below(device) for place in each.get("mountpoints") or [] if place}


def contents(device: Mapping[str, Any]) -> list[str]:
    """What is on it, one line for each partition or file system; nothing where nothing known is.

    Of the volumes on a disk or partition, which may be thousands, the first few have a line, the others one together.
    """
    found = [_content(device)] if device.get("fstype") else []
    found += _volumes(device)
    for part in _parts(device):
        found += [_content(part), *_volumes(part)]
    return found


def _parts(device: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in device.get("children") or [] if each.get("type") == "part"]


def _volumes(holder: Mapping[str, Any]) -> list[str]:
    """Lines of what is made of it: LVM's volumes, RAID. What is agreed to be lost is known by its fingerprint."""
    made = [each for each in holder.get("children") or [] if each.get("type") != "part"]
    # A thin volume lies on two volumes of its pool, and lsblk(8) shows it below both.
    lines = list(dict.fromkeys(_content(each) for child in made for each in below(child)))
    shown, rest = lines[:FEW], lines[FEW:]
    if rest:
        mark = sha256("\n".join(sorted(rest)).encode()).hexdigest()[:12]
        shown.append(f"{_word(holder.get('name'))}: {len(rest)} more volumes (fingerprint {mark})")
    return shown


def below(device: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The device and everything on it, from top to bottom."""
    yield device
    for child in device.get("children") or []:
        yield from below(child)


def _content(device: Mapping[str, Any]) -> str:
    kind = _word(device.get("fstype")) or _word(device.get("parttypename")) or "unknown data"
    label = _word(device.get("label")) or _word(device.get("partlabel"))
    return f"{_word(device.get('name'))}: {kind}{f' {label!r}' if label else ''}"


def _word(value: object) -> str:
    """In one line, and without what steers a terminal: labels are anybody's."""
    text = " ".join(str(value).split()) if value is not None else ""
    return "".join(each if each.isprintable() else "?" for each in text)[:80]


async def smart(verb: ReadSmart, on: Computer, tell: Tell) -> Smart:
    """Raises NotFound ``disk-unknown``, and ApplianceError ``program-missing`` or ``program-stuck``."""
    path = await _device(verb.disk, on)
    said: list[str] = []
    try:
        await on.follow(["smartctl", "--json", "--all", "--nocheck=standby", str(path)], said.append)
    except ApplianceError as error:
        if error.code != "program-failed":
            raise  # a disk that is failing is a failure to smartctl(8), too: what it said counts
    try:
        return parse_smart(json.loads("\n".join(said) or "{}"))
    except ValueError:
        return Smart(available=False)


def parse_smart(found: Mapping[str, Any]) -> Smart:
    """What ``smartctl --json --all`` says of an ATA or NVMe disk."""
    nvme = found.get("nvme_smart_health_information_log") or {}
    table = {each.get("id"): each for each in (found.get("ata_smart_attributes") or {}).get("table") or []}
    passed = (found.get("smart_status") or {}).get("passed")
    if passed is None and not nvme and not table:
        return Smart(available=False)
    return Smart(
        available=True,
        passed=passed,
        temperature=_number((found.get("temperature") or {}).get("current")),
        hours=_number((found.get("power_on_time") or {}).get("hours")),
        used=_number(nvme.get("percentage_used")) if nvme else _worn(table),
        spare=_number(nvme.get("available_spare")),
        spare_threshold=_number(nvme.get("available_spare_threshold")),
        reallocated=_raw(table.get(5)),
        pending=_raw(table.get(197)),
        uncorrectable=_number(nvme.get("media_errors")) if nvme else _raw(table.get(198)),
    )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _raw(attribute: Mapping[str, Any] | None) -> int | None:
    """Its raw value: attributes 5, 197 and 198 count sectors in its lower 32 bits, whoever made the disk."""
    value = _number(((attribute or {}).get("raw") or {}).get("value"))
    return None if value is None else value & 0xFFFFFFFF


def _worn(table: Mapping[Any, Mapping[str, Any]]) -> int | None:
    """Of SATA's solid-state disks: attributes 231, 233 and 177 count down from 100."""
    for number in (231, 233, 177):
        if (left := _number((table.get(number) or {}).get("value"))) is not None:
            return max(0, 100 - left)
    return None


async def identify(verb: Identify, on: Computer, tell: Tell) -> Done:
    """Raises NotFound ``disk-unknown``, and ApplianceError ``disk-unreadable``."""
    path = await _device(verb.disk, on)
    for number in range(BURSTS):
        tell(number / BURSTS, f"{verb.disk} blinks")
        await asyncio.to_thread(_read, path, number * BURST_BYTES)
        await asyncio.sleep(BURST_SECONDS)
    return Done()


def _read(path: Path, offset: int) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.posix_fadvise(descriptor, offset, BURST_BYTES, os.POSIX_FADV_DONTNEED)  # or memory would answer
            os.pread(descriptor, BURST_BYTES, offset)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ApplianceError("disk-unreadable", f"{path}: {error.strerror}", "look at its cable") from error


async def _device(name: str, on: Computer) -> Path:
    """The device of a disk that is there, and of nothing else."""
    if name not in [each.name for each in await disks(List(), on, lambda *_: None)]:
        raise NotFound("disk-unknown", f"there is no disk {name[:40]!r}", "load the list anew", "disk")
    return on.roots.dev / name
