"""The disks of this computer as a person chooses among them, from lsblk(8): what each holds, why it cannot be. Pure."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

COLUMNS = (
    "NAME,PATH,TYPE,MODEL,SERIAL,WWN,SIZE,LOG-SEC,TRAN,RO,RM,PTTYPE,FSTYPE,LABEL,PARTLABEL,PARTTYPENAME,MOUNTPOINTS"
)
_NO_DISKS = ("loop", "ram", "zram", "nbd", "fd", "md", "dm-", "sr", "mtdblock")
_WORDS = {
    "LVM2_member": "LVM physical volume",
    "linux_raid_member": "member of a Linux array",
    "ddf_raid_member": "member of a hardware array",
    "isw_raid_member": "member of an Intel array",
    "zfs_member": "member of a ZFS pool",
    "crypto_LUKS": "encrypted (LUKS)",
    "BitLocker": "encrypted (BitLocker)",
    "vfat": "FAT",
    "gpt": "GPT",
    "dos": "MBR",
}


@dataclass(frozen=True, slots=True)
class Disk:
    """A whole disk."""

    path: str
    """Device, such as ``/dev/sdb``: good for this boot only."""
    model: str
    serial: str
    wwn: str
    size: int
    """Bytes."""
    sector_size: int
    """Bytes of a logical sector."""
    transport: str
    """``sata``, ``nvme``, ``usb``, ...; empty where nobody knows."""
    holds: tuple[str, ...]
    """What is on it, one line for each partition, file system, volume; empty where nothing known is."""
    refused: str = ""
    """Why nothing can be installed onto it; empty: it can be."""

    @property
    def identifier(self) -> str:
        """What is typed to have it overwritten: its serial number, else its WWN, else its name."""
        return self.serial or self.wwn or self.path.rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.model or 'disk'}, serial {self.serial or 'unknown'}, {size_words(self.size)}"


@dataclass(frozen=True, slots=True)
class Needs:
    """What a disk must have."""

    bytes: int
    sector_size: int
    own: Collection[str]
    """Devices that the running system is on."""


def parse(text: str, needs: Needs) -> tuple[Disk, ...]:
    """Every disk in the JSON of ``lsblk --json --bytes --output COLUMNS``, those first that can be installed onto."""
    devices = json.loads(text or "{}").get("blockdevices") or []
    found = [_disk(device, needs) for device in devices if _is_disk(device)]
    return tuple(sorted(found, key=lambda disk: (bool(disk.refused), disk.path)))


def _is_disk(device: Mapping[str, Any]) -> bool:
    name = str(device.get("name"))
    special = name.startswith(_NO_DISKS) or "boot" in name or name.endswith("rpmb")  # areas of eMMC
    return device.get("type") == "disk" and not special and int(device.get("size") or 0) > 0


def _disk(device: Mapping[str, Any], needs: Needs) -> Disk:
    return Disk(
        path=str(device.get("path") or f"/dev/{device['name']}"),
        model=_word(device.get("model")),
        serial=_word(device.get("serial")),
        wwn=_word(device.get("wwn")),
        size=int(device["size"]),
        sector_size=int(device.get("log-sec") or 512),
        transport=_word(device.get("tran")),
        holds=tuple(_held(device)),
        refused=_refusal(device, needs),
    )


def _refusal(device: Mapping[str, Any], needs: Needs) -> str:
    everything = list(_below(device))
    size, sectors = int(device["size"]), int(device.get("log-sec") or 512)
    if any(each.get("path") in needs.own for each in everything):
        return "the appliance runs from it"
    if places := [str(place) for each in everything for place in each.get("mountpoints") or [] if place]:
        return f"it is in use: mounted at {places[0]}"
    if holders := [each for each in everything if each.get("type") not in ("disk", "part")]:
        return f"it is in use: {_word(holders[0].get('type'))} {_word(holders[0].get('name'))} is open on it"
    if device.get("ro") in (True, 1, "1"):
        return "it is write-protected"
    if sectors != needs.sector_size:
        return f"its sectors have {sectors} bytes; this image is made for {needs.sector_size}"
    if size < needs.bytes:
        return f"it is too small: at least {size_words(needs.bytes)} are needed"
    return ""


def _below(device: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The device and everything on it, from top to bottom."""
    yield device
    for child in device.get("children") or []:
        yield from _below(child)


def _held(device: Mapping[str, Any]) -> Iterator[str]:
    if device.get("fstype"):
        yield _content(device)
    elif device.get("pttype") and not device.get("children"):
        yield f"{_WORDS.get(device['pttype'], _word(device['pttype']))} without partitions"
    for child in device.get("children") or []:
        for depth, each in _with_depth(child):
            yield f"{'  ' * depth}{_word(each.get('name'))}: {size_words(int(each.get('size') or 0))}, {_content(each)}"


def _with_depth(device: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[int, Mapping[str, Any]]]:
    yield depth, device
    for child in device.get("children") or []:
        yield from _with_depth(child, depth + 1)


def _content(device: Mapping[str, Any]) -> str:
    """The kind of what is there, and the name that its owner gave it."""
    kind = _WORDS.get(str(device.get("fstype")), _word(device.get("fstype")))
    kind = kind or _word(device.get("parttypename")) or "unknown data"
    label = _word(device.get("label")) or _word(device.get("partlabel"))
    return f"{kind} '{label}'" if label else kind


def _word(value: object) -> str:
    """In one line, and without what steers a terminal: labels are anybody's."""
    text = " ".join(str(value).split()) if value is not None else ""
    return "".join(each if each.isprintable() else "?" for each in text)[:80]


def size_words(count: int) -> str:
    """Bytes in the decimal units of disks' labels."""
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count / 1e3:.0f} kB"
