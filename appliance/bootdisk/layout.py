"""Which part of a disk lies where, and what is in it: a table, GRUB for BIOS, and file systems. Pure."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.bootdisk import gpt, grub
from appliance.bootdisk.gpt import SECTOR

MEBIBYTE = (1 << 20) // SECTOR
"""Sectors."""
BIOS_AT, BIOS_SIZE = MEBIBYTE, MEBIBYTE
"""Of every disk of ours: sectors, where GRUB for BIOS stands."""
ESP_AT, ESP_SIZE = 2 * MEBIBYTE, 48 * MEBIBYTE
ROOT_AT = ESP_AT + ESP_SIZE


@dataclass(frozen=True)
class Disk:
    """A disk that is to be made."""

    sectors: int
    identity: uuid.UUID
    partitions: Sequence[gpt.Partition]
    """The first is GRUB's for BIOS."""


@dataclass(frozen=True)
class Part:
    """What begins at a sector: bytes, or those of a file."""

    sector: int
    content: bytes | Path


def server(root_bytes: int, identify: Callable[[str], uuid.UUID]) -> Disk:
    """The disk of a system with one root, which comes last so that it can grow.

    ``identify`` gives an identifier for ``disk`` and for each partition: ``bios``, ``esp``, ``root``.
    """
    root_sectors = -(-root_bytes // (MEBIBYTE * SECTOR)) * MEBIBYTE
    partitions = [
        gpt.Partition(gpt.BIOS_BOOT, identify("bios"), "bios", BIOS_AT, BIOS_SIZE),
        gpt.Partition(gpt.ESP, identify("esp"), "esp", ESP_AT, ESP_SIZE),
        gpt.Partition(gpt.LINUX_ROOT_X86_64, identify("root"), "root", ROOT_AT, root_sectors),
    ]
    return Disk(ROOT_AT + root_sectors + MEBIBYTE, identify("disk"), partitions)


def parts(disk: Disk, boot_sector: bytes, core: bytes, contents: Mapping[str, Path]) -> list[Part]:
    """All of it in the order of sectors; between them are zeros.

    ``boot_sector``, ``core``: GRUB's boot.img and core.img; ``contents``: name of a partition -> its file. Raises
    ValueError for what does not fit.
    """
    tables = gpt.tables(disk.sectors, disk.identity, disk.partitions)
    bios = disk.partitions[0]
    mbr = grub.mbr_with_boot_code(tables.head[:SECTOR], boot_sector, bios.start)
    return [
        Part(0, mbr + tables.head[SECTOR:]),
        Part(bios.start, grub.placed_core(core, bios.start, bios.sectors)),
        *(Part(each.start, contents[each.name]) for each in disk.partitions[1:]),
        Part(tables.tail_sector, tables.tail),
    ]
