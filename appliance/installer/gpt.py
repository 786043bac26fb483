"""A GUID partition table whose identifiers are exchanged while the disk is in use (UEFI 2.10 section 5.3). Pure.

The kernel and GRUB read the first table alone, and the kernel only one whose sums are right. So the new entries are
written to a place that nothing uses, and one sector, the header, then names that place: a power cut leaves the old
table or the new one. The same is done once more to bring them back to where all tools expect them.
"""

import struct
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from appliance.errors import ApplianceError

HEAD = 1 << 20
"""Bytes at the beginning of a disk in which everything is that is read here; no partition of ours begins before."""
_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_ENTRY_GUID = slice(16, 32)
_USUAL = 2
"""The sector that entries begin at, wherever nothing was cut off."""
Write = tuple[int, bytes]
"""Where, in bytes from the beginning of the disk, and what."""
Fresh = Callable[[], uuid.UUID]


@dataclass(frozen=True, slots=True)
class Part:
    """One partition; bytes."""

    name: str
    identifier: uuid.UUID
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Table:
    """What one header says, and its entries."""

    sector: int
    own: int
    """The header's own sector."""
    other: int
    """The sector of the other header."""
    usable: tuple[int, int]
    disk: uuid.UUID
    at: int
    """The sector that the entries begin at."""
    each: int
    """Bytes of an entry."""
    entries: bytes

    @property
    def parts(self) -> tuple[Part, ...]:
        """Partitions that there are."""
        return tuple(_part(each, self.sector) for each in self._entries() if any(each[:16]))

    def _entries(self) -> list[bytes]:
        return [self.entries[at : at + self.each] for at in range(0, len(self.entries), self.each)]

    @property
    def sectors(self) -> int:
        """Those that the entries take."""
        return -(-len(self.entries) // self.sector)

    def named(self, name: str) -> Part | None:
        """The partition of this name."""
        return next((each for each in self.parts if each.name == name), None)

    def header(self) -> bytes:
        """Its sector."""
        head = (b"EFI PART", 0x10000, _HEADER.size)
        rest = (0, self.own, self.other, *self.usable, self.disk.bytes_le, self.at)
        tail = (len(self.entries) // self.each, self.each, zlib.crc32(self.entries))
        crc = zlib.crc32(_HEADER.pack(*head, 0, *rest, *tail))
        return _HEADER.pack(*head, crc, *rest, *tail).ljust(self.sector, b"\0")

    def renewed(self, fresh: Fresh) -> "Table":
        """The same partitions, none of which is called as before."""
        changed = [each[:16] + fresh().bytes_le + each[32:] if any(each[:16]) else each for each in self._entries()]
        return replace(self, disk=fresh(), entries=b"".join(changed))


def _part(entry: bytes, sector: int) -> Part:
    first, last = struct.unpack_from("<QQ", entry, 32)
    name = entry[56:128].decode("utf-16-le", errors="replace").partition("\0")[0]
    return Part(name, uuid.UUID(bytes_le=entry[_ENTRY_GUID]), first * sector, (last - first + 1) * sector)


def read(head: bytes, sector: int, own: int = 1, begins: int = 0) -> Table:
    """The table whose header is sector ``own`` of the disk, in bytes of it that begin at sector ``begins``.

    Raises ApplianceError ``table-broken`` where the kernel would not take it.
    """
    header = head[(own - begins) * sector :][:sector]
    if len(header) < _HEADER.size or not header.startswith(b"EFI PART"):
        raise _broken("there is none")
    _, _, size, crc, zero, at_own, other, first, last, disk, at, count, each, sums = _HEADER.unpack_from(header)
    if size != _HEADER.size or zlib.crc32(header[:16] + bytes(4) + header[20:size]) != crc or at_own != own or zero:
        raise _broken("its header is not right")
    start = (at - begins) * sector
    entries = head[max(0, start) : start + count * each] if each == 128 and start >= 0 else b""
    if len(entries) != count * each or not entries or zlib.crc32(entries) != sums:
        raise _broken("its entries are not right")
    return Table(sector, own, other, (first, last), uuid.UUID(bytes_le=disk), at, each, entries)


def _broken(why: str) -> ApplianceError:
    return ApplianceError("table-broken", f"the disk's partition table cannot be used: {why}", "write the image anew")


def exchange(now: Table, new: Table) -> list[Write]:
    """What is written to the first table, each once all before it is on the disk.

    Raises ApplianceError ``table-broken`` where there is no room for a second set of entries before the partitions.
    """
    spare = replace(new, at=_USUAL + now.sectors)
    if (spare.at + now.sectors) * now.sector > min(each.start for each in now.parts):
        raise _broken("its partitions begin too early")
    usual = replace(new, at=_USUAL)
    through = [usual] if now.at != _USUAL else [spare, usual]
    return [write for each in through for write in _placed(each)]


def _placed(table: Table) -> list[Write]:
    return [(table.at * table.sector, table.entries), (table.own * table.sector, table.header())]


def copied(backup: Table, new: Table) -> list[Write]:
    """The same for the table at the other end, which is read where the first one is damaged."""
    return _placed(replace(backup, disk=new.disk, entries=new.entries))


def serial(boot_sector: bytes, start: int, fresh: Fresh) -> list[Write]:
    """Another serial number for a FAT file system that begins at ``start``; nothing where there is none.

    Microsoft's FAT specification, "BPB": ``BS_VolID`` behind ``BS_BootSig``, and FAT32's copy of the sector.
    """
    if len(boot_sector) < 512 or boot_sector[510:512] != b"\x55\xaa":
        return []
    wide = boot_sector[0x16:0x18] == b"\0\0"
    mark = 0x42 if wide else 0x26
    if boot_sector[mark] not in (0x28, 0x29):
        return []
    changed = boot_sector[: mark + 1] + fresh().bytes[:4] + boot_sector[mark + 5 :]
    (sector,) = struct.unpack_from("<H", boot_sector, 0x0B)
    (copy,) = struct.unpack_from("<H", boot_sector, 0x32) if wide else (0,)
    return [(start, changed), *([(start + copy * sector, changed)] if 0 < copy < 0xFFFF else [])]
