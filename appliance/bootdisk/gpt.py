"""GUID partition tables as bytes (UEFI specification 2.10, section 5). Pure."""

import struct
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

SECTOR = 512
ENTRIES = 128
ENTRY_SIZE = 128
TABLE_SECTORS = ENTRIES * ENTRY_SIZE // SECTOR
FIRST_USABLE = 2 + TABLE_SECTORS

BIOS_BOOT = uuid.UUID("21686148-6449-6e6f-744e-656564454649")
ESP = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
LINUX_ROOT_X86_64 = uuid.UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709")
BASIC_DATA = uuid.UUID("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7")
NO_AUTOMOUNT = 1 << 63
"""Attribute: nothing mounts or assembles the partition by itself (Discoverable Partitions Specification)."""


@dataclass(frozen=True)
class Partition:
    """One partition; `start` and `sectors` count 512-byte sectors."""

    kind: uuid.UUID
    identity: uuid.UUID
    name: str
    start: int
    sectors: int
    attributes: int = 0

    @property
    def last(self) -> int:
        """The partition's last sector, inclusive as in the table."""
        return self.start + self.sectors - 1


@dataclass(frozen=True)
class Tables:
    """What to write where: the head of the disk from sector 0, the tail from `tail_sector`."""

    head: bytes
    tail: bytes
    tail_sector: int


def tables(disk_sectors: int, disk_id: uuid.UUID, partitions: Sequence[Partition]) -> Tables:
    """Primary and backup table of a disk of `disk_sectors` sectors, with the protective MBR.

    Raises ValueError when partitions overlap each other or the tables.
    """
    _check(disk_sectors, partitions)
    entries = _entries(partitions)
    tail_sector = disk_sectors - 1 - TABLE_SECTORS
    primary = _header(1, disk_sectors - 1, 2, disk_sectors, disk_id, entries)
    backup = _header(disk_sectors - 1, 1, tail_sector, disk_sectors, disk_id, entries)
    return Tables(protective_mbr(disk_sectors) + primary + entries, entries + backup, tail_sector)


def protective_mbr(disk_sectors: int) -> bytes:
    """The MBR that keeps tools which do not know GPT away (section 5.2.3)."""
    # Marked active: some BIOSes refuse to start a disk on which no partition is.
    size = min(disk_sectors - 1, 0xFFFFFFFF)
    record = struct.pack("<B3sB3sII", 0x80, b"\x00\x02\x00", 0xEE, b"\xff\xff\xff", 1, size)
    return bytes(446) + record + bytes(48) + b"\x55\xaa"


def _check(disk_sectors: int, partitions: Sequence[Partition]) -> None:
    free_from = FIRST_USABLE
    for partition in sorted(partitions, key=lambda one: one.start):
        if partition.sectors < 1 or partition.start < free_from:
            raise ValueError(f"partition {partition.name!r} starts before sector {free_from} or is empty")
        free_from = partition.last + 1
    if free_from > disk_sectors - 1 - TABLE_SECTORS:
        raise ValueError("the last partition reaches into the backup table")


def _entries(partitions: Sequence[Partition]) -> bytes:
    packed = b"".join(_entry(partition) for partition in partitions)
    return packed.ljust(ENTRIES * ENTRY_SIZE, b"\0")


def _entry(partition: Partition) -> bytes:
    name = partition.name.encode("utf-16-le")
    return struct.pack(
        "<16s16sQQQ72s",
        partition.kind.bytes_le,
        partition.identity.bytes_le,
        partition.start,
        partition.last,
        partition.attributes,
        name,
    )


def _header(own: int, other: int, entries_at: int, disk_sectors: int, disk_id: uuid.UUID, entries: bytes) -> bytes:
    last_usable = disk_sectors - 2 - TABLE_SECTORS
    place = (own, other, FIRST_USABLE, last_usable, disk_id.bytes_le, entries_at)
    rest = struct.pack("<QQQQ16sQIII", *place, ENTRIES, ENTRY_SIZE, zlib.crc32(entries))
    crc = zlib.crc32(struct.pack("<8sIIII", b"EFI PART", 0x00010000, 92, 0, 0) + rest)
    return (struct.pack("<8sIIII", b"EFI PART", 0x00010000, 92, crc, 0) + rest).ljust(SECTOR, b"\0")
