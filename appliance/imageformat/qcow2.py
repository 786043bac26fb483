"""The header of a qcow2 file (QEMU's docs/interop/qcow2.txt): the size of its disk, and other files it needs. Pure.

QEMU follows names that stand in such a file, to any file that it may read and over networks. A file of a stranger that
names another one is refused here, before QEMU sees it (``disk_size``); of one in a pool of ours it is said which it
names (``overlay``).
"""

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

from appliance.errors import Invalid
from appliance.imageformat.found import check_disk_size, exactly, unreadable

MAGIC = b"QFI\xfb"
_HEADER = struct.Struct(">4sIQIIQIIQQIIQ")
_VERSION_3 = struct.Struct(">QQQII")
_DIRTY, _CORRUPT, _DATA_FILE, _COMPRESSION, _EXTENDED_L2 = (1 << bit for bit in range(5))
_KNOWN = _DIRTY | _CORRUPT | _DATA_FILE | _COMPRESSION | _EXTENDED_L2
_END, _ENCRYPTION, _DATA_FILE_NAME = 0, 0x0537BE77, 0x44415441
_CLUSTER_BITS = range(9, 22)
"""Sizes of clusters that QEMU takes: 512 bytes to 2 MiB."""
_LARGEST_L1 = 32 << 20
"""Bytes of the first table of mappings; QEMU opens none that is larger."""
_LONGEST_NAME = 1023
"""Bytes of the name of another file."""
BEGIN = 4096
"""Bytes that ``overlay`` has to see: the name of another file stands in the first cluster, behind the header."""
_ALONE = "make a file that stands for itself: qemu-img convert -O qcow2 OLD.qcow2 NEW.qcow2"


@dataclass(frozen=True, slots=True)
class _Header:
    version: int
    backing_offset: int
    backing_size: int
    cluster_bits: int
    size: int
    encryption: int
    l1_entries: int
    l1_offset: int
    refcounts_offset: int
    refcounts_clusters: int
    incompatible: int
    length: int

    @property
    def cluster(self) -> int:
        """Bytes."""
        return 1 << self.cluster_bits


def disk_size(stored: BinaryIO, stored_size: int) -> int:
    """Bytes of the disk in a qcow2 file of ``stored_size`` bytes.

    Raises Invalid: ``image-outside`` where it needs other files, ``image-encrypted``, ``image-size``, ``image-format``.
    """
    stored.seek(0)
    header = _read(stored)
    _check_alone(header)
    _check_usable(header)
    check_disk_size(header.size)
    _check_tables(header, stored_size)
    _check_extensions(stored, header)
    return header.size


@dataclass(frozen=True, slots=True)
class Overlay:
    """An image upon another one, or upon nothing."""

    size: int
    """Bytes of the disk in it."""
    backing: str
    """The file that has what is not written here; empty for none."""


def overlay(begin: bytes) -> Overlay | None:
    """From the first bytes of a file, at most BEGIN; None for what is no image that we would use.

    That is: anything else, an image that is encrypted, marked as damaged, or keeps its content in another file.
    """
    try:
        header = _read(io.BytesIO(begin))
        _check_usable(header)
    except Invalid:
        return None
    at, end = header.backing_offset, header.backing_offset + header.backing_size
    if not at:
        return Overlay(header.size, "")
    if header.backing_size > _LONGEST_NAME or end > len(begin):
        return None
    return Overlay(header.size, begin[at:end].decode(errors="replace"))


def _read(stored: BinaryIO) -> _Header:
    (magic, version, backing, backing_size, bits, size, encryption, l1, l1_at, counts_at, counts, _, _) = (
        _HEADER.unpack(exactly(stored, _HEADER.size))
    )
    if magic != MAGIC or version not in (2, 3):
        raise unreadable(f"this is qcow2 of version {version}, and 2 and 3 are known")
    incompatible, length = 0, _HEADER.size
    if version == 3:
        incompatible, _, _, _, length = _VERSION_3.unpack(exactly(stored, _VERSION_3.size))
    if bits not in _CLUSTER_BITS:
        raise unreadable(f"its clusters would have 2^{bits} bytes")
    return _Header(
        version, backing, backing_size, bits, size, encryption, l1, l1_at, counts_at, counts, incompatible, length
    )  # fmt: skip


def _check_alone(header: _Header) -> None:
    if header.backing_offset:
        text = "this qcow2 file holds changes only: it names another file that they are of (a backing file)"
        raise Invalid("image-outside", text, _ALONE, "file")


def _check_usable(header: _Header) -> None:
    if header.incompatible & _DATA_FILE:
        text = "this qcow2 file holds no data: it names another file that does (an external data file)"
        raise Invalid("image-outside", text, _ALONE, "file")
    if header.encryption:
        raise _encrypted()
    if header.incompatible & _CORRUPT:
        raise unreadable(
            "QEMU found this file damaged, and wrote that into it", "repair it: qemu-img check -r all FILE"
        )
    if unknown := header.incompatible & ~_KNOWN:
        text = f"it needs what this version does not know (incompatible features {unknown:#x})"
        raise unreadable(text, "write it with: qemu-img convert -O qcow2 -o compat=1.1")


def _encrypted() -> Invalid:
    return Invalid("image-encrypted", "the disk in this file is encrypted", "upload it without encryption", "file")


def _check_tables(header: _Header, stored_size: int) -> None:
    """Raise Invalid where the tables cannot hold the disk, or lie behind the end of the file."""
    entry = 16 if header.incompatible & _EXTENDED_L2 else 8
    covered = header.cluster * (header.cluster // entry)
    least = -(-header.size // covered)
    if header.l1_entries < least or header.l1_entries * 8 > _LARGEST_L1:
        raise unreadable(f"its table of {header.l1_entries} entries is not that of a disk of {header.size} bytes")
    tables = (
        (header.l1_offset, header.l1_entries * 8),
        (header.refcounts_offset, header.refcounts_clusters * header.cluster),
    )
    for at, length in tables:
        if at % header.cluster or not at or at + length > stored_size:
            raise unreadable("its tables lie where the file has no bytes: it is cut off, or damaged")


def _check_extensions(stored: BinaryIO, header: _Header) -> None:
    """Raise Invalid for extensions that name other files or keys; they all stand in the first cluster."""
    if header.version == 3 and not _HEADER.size + _VERSION_3.size <= header.length <= header.cluster:
        raise unreadable(f"its header would have {header.length} bytes")
    at = header.length
    while at + 8 <= header.cluster:
        stored.seek(at)
        kind, length = struct.unpack(">II", exactly(stored, 8))
        if kind == _END:
            return
        if kind == _ENCRYPTION:
            raise _encrypted()
        if kind == _DATA_FILE_NAME:
            raise Invalid("image-outside", "this qcow2 file names another file for its data", _ALONE, "file")
        at += 8 + (length + 7 & ~7)
    if at > header.cluster:
        raise unreadable("its header has no end")
