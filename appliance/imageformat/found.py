"""What was found in a file, and what is said of one that does not do. Pure."""

from dataclasses import dataclass
from typing import BinaryIO

from appliance.errors import Invalid

LARGEST_DISK = 1 << 50
"""Bytes: 1 PiB. No disk is larger, so that a header which says more lies."""
HEAD = 1 << 16
"""Bytes at the beginning of a disk that are looked at: tables of partitions, and the descriptor of an ISO 9660."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a file holds."""

    format: str
    """``raw``, ``raw.zst``, ``qcow2``, ``tar`` or ``squashfs``."""
    size: int
    """Bytes: of the disk that it is, or of all files in it."""
    sector_size: int = 512
    """Logical sector size, in bytes, that its table of partitions was written for."""
    holds: str = ""
    """On a disk: ``gpt``, ``mbr`` or ``iso9660``; empty where none of these was found."""
    firmware: tuple[str, ...] = ()
    """What can boot the disk, as far as that shows: ``bios``, ``uefi``."""
    architecture: str = ""
    """As Debian names it (``amd64``); empty where it cannot be told."""
    distribution: str = ""
    """As its os-release names it (``PRETTY_NAME``); empty where that cannot be told."""


def unreadable(text: str, hint: str = "") -> Invalid:
    """What is said of a file that is not what it claims to be."""
    return Invalid("image-format", text, hint or "make it once more, and upload it whole", "file")


def impossible(text: str) -> Invalid:
    """What is said of a size that cannot be."""
    return Invalid("image-size", text, "upload the complete disk image", "file")


def exactly(stored: BinaryIO, count: int) -> bytes:
    """So many bytes; raises Invalid where the file ends before."""
    octets = stored.read(count)
    if len(octets) < count:
        raise unreadable("the file ends too early")
    return octets


def check_disk_size(size: int) -> int:
    """Bytes of a disk; raises Invalid where no disk has so many."""
    if size <= 0 or size % 512 or size > LARGEST_DISK:
        raise impossible(f"{size} bytes are no whole disk")
    return size
