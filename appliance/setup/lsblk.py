"""Disks as lsblk(8) tells of them. Pure."""

from collections.abc import Iterable

import msgspec

from appliance.setup.hardware import FoundDisk

ARGV = (
    "lsblk", "--json", "--bytes", "--tree", "--output",
    "NAME,TYPE,SIZE,MODEL,SERIAL,WWN,FSTYPE,LABEL,PARTLABEL,PTTYPE,RM,RO,MOUNTPOINTS",
)  # fmt: skip
OWN_MOUNTS = frozenset({"/", "/state"})


class _Device(msgspec.Struct):
    name: str
    type: str
    size: int | None = None
    model: str | None = None
    serial: str | None = None
    wwn: str | None = None
    fstype: str | None = None
    label: str | None = None
    partlabel: str | None = None
    pttype: str | None = None
    rm: bool = False
    ro: bool = False
    mountpoints: list[str | None] = []
    children: list["_Device"] = []

    def below(self) -> Iterable["_Device"]:
        """The device and all that is made of it."""
        yield self
        for each in self.children:
            yield from each.below()

    @property
    def mounts(self) -> set[str]:
        return {place for each in self.below() for place in each.mountpoints if place}


class _Listing(msgspec.Struct):
    blockdevices: list[_Device]


def disks(text: str) -> tuple[FoundDisk, ...]:
    """Every disk that could hold data, by name; raises msgspec.ValidationError for what lsblk does not say."""
    listed = msgspec.json.decode(text, type=_Listing).blockdevices
    kept = [each for each in listed if each.type == "disk" and each.size and not each.ro]
    return tuple(_disk(each) for each in kept if not each.name.startswith(("zram", "fd", "ram")))


def _disk(device: _Device) -> FoundDisk:
    own = bool(device.mounts & OWN_MOUNTS)
    used = sorted(device.mounts - OWN_MOUNTS)
    stacked = next((each.type for each in device.below() if each.type not in ("disk", "part")), "")
    in_use = f"mounted on {used[0]}" if used else f"it is part of {stacked}" if stacked else ""
    return FoundDisk(
        name=device.name,
        bytes=device.size or 0,
        model=(device.model or "").strip(),
        serial=(device.serial or "").strip(),
        wwn=(device.wwn or "").strip(),
        content=_content(device),
        own=own,
        removable=device.rm,
        in_use="" if own else in_use,
    )


def _content(device: _Device) -> str:
    """What is on it, in words; an empty partition table is content, too."""
    parts = [_what(each) for each in device.children if each.type == "part"]
    if parts:
        count = "1 partition" if len(parts) == 1 else f"{len(parts)} partitions"
        return f"{count}: {', '.join(parts[:6])}{', and more' if len(parts) > 6 else ''}"
    if device.fstype:
        return _what(device)
    return f"an empty {device.pttype.upper()} partition table" if device.pttype else ""


def _what(device: _Device) -> str:
    label = device.label or device.partlabel or ""
    return f"{device.fstype or 'no file system'}{f' ({label})' if label else ''}"
