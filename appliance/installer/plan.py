"""What is copied where, and the partition table that the target gets: from the table of the disk that runs. Pure.

The target gets the partitions of a freshly written image at the same offsets, since GRUB's first sector names the
place of the rest of it by number. Its GUIDs are new, so that two appliances in one computer are never taken for one
another. The other root slot, state and data are made when it first boots, as on every fresh image.
"""

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appliance.errors import ApplianceError
from appliance.installer.disks import Disk, size_words

COPIED = ("bios", "esp", "seed", "root-a")
"""Partitions of the image by their names, in their order on the disk."""
STATE_LEAST = 2 << 30
"""Bytes for state that a disk must have beyond both root slots."""
BOOT_CODE = 440
"""Bytes of GRUB's boot.img before the disk's signature in the first sector."""
EDGE = 1 << 20
"""Bytes at either end of the disk that are cleared first: tables and members of arrays have their marks there."""
MARK = b"qrm: an installation onto this disk was begun and has not ended; nothing here boots\n"

ENVIRONMENT = {"ORDER": "A B", "A_OK": "1", "A_TRY": "0", "B_OK": "0", "B_TRY": "0"}
"""GRUB's variables of a fresh appliance; a machine-id is made when it first boots."""
_ENVIRONMENT_SIZE = 1024
SUPERBLOCK = 1024
"""Bytes of ext4's superblock, and where it begins."""
_ATTRIBUTES = {"RequiredPartition": 0, "NoBlockIOProtocol": 1, "LegacyBIOSBootable": 2}


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition; offsets and sizes in bytes."""

    number: int
    start: int
    size: int
    type: str
    name: str
    attributes: tuple[int, ...] = ()
    """Bits of the GPT entry that are set (UEFI 2.10 section 5.3.3)."""

    @property
    def end(self) -> int:
        """The byte after it."""
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class Layout:
    """The table of the disk that the appliance runs from."""

    sector_size: int
    partitions: tuple[Partition, ...]

    def named(self, name: str) -> Partition:
        """The partition of this name; raises ApplianceError ``install-source``."""
        for each in self.partitions:
            if each.name == name:
                return each
        message = f"the disk that the appliance runs from has no partition {name}"
        raise ApplianceError("install-source", message, "write the image onto the stick anew")

    def slot(self, letter: str) -> Partition:
        """A root slot, ``A`` or ``B``; raises as ``named`` does."""
        return self.named("root-b" if letter == "B" else "root-a")


@dataclass(frozen=True, slots=True)
class Copy:
    """A stretch of the source that goes to the target; bytes."""

    name: str
    source: int
    target: int
    size: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is done to the target."""

    copies: tuple[Copy, ...]
    table: tuple[str, ...]
    """Arguments of sgdisk(8) that make the table."""
    esp: int
    """Offset of the ESP on the target, bytes."""
    partitions: tuple[Partition, ...]
    """What the table must hold afterwards."""

    @property
    def bytes(self) -> int:
        """What is written, all copies together."""
        return sum(each.size for each in self.copies)


def parse_sfdisk(text: str) -> Layout:
    """The table in the JSON of ``sfdisk --json``; raises ApplianceError ``install-source`` for anything but a GPT."""
    table = json.loads(text)["partitiontable"]
    if table["label"] != "gpt":
        message = "the disk that the appliance runs from has no GPT"
        raise ApplianceError("install-source", message, "write the image onto the stick anew")
    sector = int(table.get("sectorsize") or 512)
    return Layout(sector, tuple(_partition(n, each, sector) for n, each in enumerate(table["partitions"], 1)))


def _partition(place: int, entry: Mapping[str, Any], sector: int) -> Partition:
    found = re.search(r"\d+$", str(entry["node"]))
    name, attributes = str(entry.get("name") or ""), _bits(str(entry.get("attrs") or ""))
    start, size = int(entry["start"]) * sector, int(entry["size"]) * sector
    return Partition(int(found[0]) if found else place, start, size, str(entry["type"]).upper(), name, attributes)


def _bits(text: str) -> tuple[int, ...]:
    """``RequiredPartition GUID:59,63`` as numbers."""
    found = list[int]()
    for word in text.replace(",", " ").split():
        number = word.removeprefix("GUID:")
        found.append(int(number) if number.isdecimal() else _ATTRIBUTES.get(word, -1))
    return tuple(sorted(each for each in found if each >= 0))


def needed_bytes(layout: Layout) -> int:
    """How large a disk has to be: what is copied, the other slot, the least of state, and the table at its end."""
    root = layout.named("root-a")
    return root.end + root.size + STATE_LEAST + EDGE


def used_of_slot(superblock: bytes) -> int | None:
    """Bytes of a slot that its file system takes: the rest of it is nothing. None where there is no ext4.

    ``superblock`` is what stands from byte 1024 on (the kernel's documentation of ext4, "Super Block").
    """
    if len(superblock) < SUPERBLOCK or superblock[0x38:0x3A] != b"\x53\xef":
        return None
    blocks, _, _, _, _, scale = struct.unpack_from("<6I", superblock, 4)
    return int(blocks) * (1024 << scale) if scale <= 6 else None


def make_plan(layout: Layout, slot: str, target: Disk, used: int | None = None) -> Plan:
    """The plan for this disk, from the root slot that runs (``A`` or ``B``), which becomes slot A there.

    ``used`` bytes of the slot are copied; all where that is None.
    Raises ApplianceError ``install-refused`` for a disk that cannot take it, ``install-source``.
    """
    if target.refused:
        raise ApplianceError("install-refused", f"{target}: {target.refused}", "choose another disk")
    if target.size < needed_bytes(layout):
        text = f"{target} is too small: at least {size_words(needed_bytes(layout))} are needed"
        raise ApplianceError("install-refused", text, "choose another disk")
    made = tuple(layout.named(name) for name in COPIED)
    root = layout.slot(slot)
    if root.size > made[-1].size:
        raise ApplianceError("install-source", "the slot that runs is larger than slot A", "write the stick anew")
    copies = tuple(Copy(each.name, each.start, each.start, each.size) for each in made[:-1])
    running = Copy("root-a", root.start, made[-1].start, min(used or root.size, root.size))
    return Plan((*copies, running), _table(made, layout.sector_size), layout.named("esp").start, made)


def _table(partitions: tuple[Partition, ...], sector: int) -> tuple[str, ...]:
    """Random GUIDs are what sgdisk gives where nobody names any."""
    words = ["--clear", "--set-alignment=1"]
    for each in partitions:
        number, last = each.number, each.end // sector - 1
        words += [f"--new={number}:{each.start // sector}:{last}", f"--typecode={number}:{each.type}"]
        words += [f"--change-name={number}:{each.name}"]
        words += [f"--attributes={number}:set:{bit}" for bit in each.attributes]
    return tuple(words)


def environment_block(values: Mapping[str, str]) -> bytes:
    """GRUB's environment as a file: 1024 bytes, filled up with ``#`` (GRUB manual, "The GRUB environment block")."""
    text = "# GRUB Environment Block\n" + "".join(f"{key}={value}\n" for key, value in values.items())
    return text.encode().ljust(_ENVIRONMENT_SIZE, b"#")


def is_made(layout: Layout, plan: Plan) -> bool:
    """Whether a table that was read back is the one that was wanted."""
    return layout.partitions == plan.partitions
