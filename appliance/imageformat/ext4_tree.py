"""Files in an ext2, ext3 or ext4 file system, found and read without mounting it. Pure.

Documentation/filesystems/ext4 of Linux tells the layout. Nothing is believed of what stands there: numbers are bounded,
links are not followed, and what one file system makes us do ends.
"""

import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import SEEK_END
from typing import BinaryIO

from appliance.imageformat.found import exactly, unreadable

SUPERBLOCK, MAGIC = 1024, 0xEF53
MOST_BLOCKS = 200_000
"""Blocks of metadata that are read of one file system."""
LARGEST_DIRECTORY = 16 << 20
"""Bytes."""
_ROOT = 2
_READ = 0x2 | 0x4 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000 | 0x10000 | 0x20000
"""Incompatible features that reading needs nothing else for: filetype, recover, extents, 64bit, mmp, flex_bg, ea_inode,
csum_seed, largedir, encrypt (of other files), casefold."""
_64BIT = 0x80
_ENCRYPTED, _EXTENTS, _INLINE = 0x800, 0x80000, 0x10000000
_EXTENT_MAGIC = 0xF30A
_DEEPEST = 5
_UNWRITTEN = 32768
"""Extents that are longer are allocated and hold zeros."""
_DIRECT = 12
_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}


@dataclass(frozen=True, slots=True)
class Inode:
    """What is known of a file without reading it."""

    kind: str
    """``file``, ``directory``, ``link``, or empty for what is none of these."""
    size: int
    """Bytes."""
    flags: int
    block: bytes
    """Where its content is."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Blocks of a file that follow each other on the disk; ``at`` 0 for those that hold zeros."""

    first: int
    count: int
    at: int


class Tree:
    """One file system; every method raises Invalid for what cannot be read."""

    def __init__(self, stored: BinaryIO, offset: int) -> None:
        """``offset``: bytes of the disk before it."""
        self._stored, self._offset, self._read_blocks = stored, offset, 0
        self._end = stored.seek(0, SEEK_END) - offset
        head = self._bytes(SUPERBLOCK, 1024)
        (self._inodes,) = struct.unpack_from("<I", head)
        first, log, _, _, _, self._per_group = struct.unpack_from("<IIIIII", head, 20)
        (magic,) = struct.unpack_from("<H", head, 56)
        old = not struct.unpack_from("<I", head, 76)[0]
        features = 0 if old else struct.unpack_from("<I", head, 96)[0]
        self._inode_size = 128 if old else struct.unpack_from("<H", head, 88)[0]
        (described,) = struct.unpack_from("<H", head, 254)
        if magic != MAGIC or log > 6 or not self._per_group or not 128 <= self._inode_size <= 1024 << log:
            raise unreadable("its file system is damaged")
        if features & ~_READ:
            raise unreadable(f"its file system has features that are not read here ({features & ~_READ:#x})")
        self._block, self._wide = 1024 << log, bool(features & _64BIT and described >= 64)
        self._described = described if self._wide else 32
        self._descriptors = (first + 1) * self._block

    def entries(self, directory: Inode) -> Iterator[tuple[str, int]]:
        """Names in a directory with the numbers of their inodes; those that are no names of files are left out."""
        if directory.kind != "directory" or directory.size > LARGEST_DIRECTORY:
            raise unreadable("a directory of its file system has a size that cannot be")
        content = self.content(directory, LARGEST_DIRECTORY)
        for start in range(0, len(content), self._block):
            yield from _names(content[start : start + self._block])

    def find(self, path: str) -> Inode | None:
        """What has this path; None where there is nothing, or where a link leads there."""
        found = self.inode(_ROOT)
        for name in path.split("/") if path else ():
            number = next((number for each, number in self.entries(found) if each == name), None)
            if number is None:
                return None
            found = self.inode(number)
            if found.kind not in ("file", "directory"):
                return None
        return found

    def inode(self, number: int) -> Inode:
        """What is known of the file with this number."""
        if not 1 <= number <= self._inodes:
            raise unreadable("its file system names a file that cannot be")
        group, index = divmod(number - 1, self._per_group)
        descriptor = self._metadata(self._descriptors + group * self._described, self._described)
        (table,) = struct.unpack_from("<I", descriptor, 8)
        if self._wide:
            table |= struct.unpack_from("<I", descriptor, 40)[0] << 32
        raw = self._metadata(table * self._block + index * self._inode_size, 128)
        mode, _, size = struct.unpack_from("<HHI", raw)
        (flags,) = struct.unpack_from("<I", raw, 32)
        kind = _KINDS.get(stat.S_IFMT(mode), "")
        high = struct.unpack_from("<I", raw, 108)[0] if kind == "file" else 0
        return Inode(kind, size | high << 32, flags, raw[40:100])

    def content(self, file: Inode, most: int) -> bytes:
        """All of a file; raises Invalid where it has more than ``most`` bytes."""
        if file.size > most:
            raise unreadable(f"a file in it has {file.size} bytes, and no more than {most} were expected")
        if file.kind == "link" and file.size < len(file.block) and not file.flags & _EXTENTS:
            return file.block[: file.size]
        if file.flags & (_ENCRYPTED | _INLINE):
            raise unreadable("a file in it is encrypted, or kept in a way that is not read here")
        count = -(-file.size // self._block)
        found = bytearray(file.size)
        runs = self._extents(file.block, _DEEPEST) if file.flags & _EXTENTS else self._mapped(file.block, count)
        end = 0
        for run in runs:
            if run.first < end:  # in order, and never twice: a file takes no longer than it is long
                raise unreadable("its file system is damaged")
            end = run.first + run.count
            start, wanted = run.first * self._block, min(end, count) - run.first
            if run.at and wanted > 0:
                piece = self._bytes(run.at * self._block, min(wanted * self._block, file.size - start))
                found[start : start + len(piece)] = piece
        return bytes(found)

    def _extents(self, node: bytes, deepest: int) -> Iterator[_Run]:
        magic, count, _, depth = struct.unpack_from("<HHHH", node)
        if magic != _EXTENT_MAGIC or depth > deepest or 12 + 12 * count > len(node):
            raise unreadable("its file system is damaged")
        for at in range(12, 12 + 12 * count, 12):
            if depth:
                _, low, high = struct.unpack_from("<IIH", node, at)
                child = self._metadata((high << 32 | low) * self._block, self._block)
                yield from self._extents(child, depth - 1)
            else:
                first, length, high, low = struct.unpack_from("<IHHI", node, at)
                unwritten = length > _UNWRITTEN
                yield _Run(first, length - _UNWRITTEN * unwritten, 0 if unwritten else high << 32 | low)

    def _mapped(self, block: bytes, count: int) -> Iterator[_Run]:
        """Of a file of ext2 or ext3: direct blocks, then those that are named in blocks, up to three deep."""
        pointers = struct.unpack("<15I", block)
        at = 0
        for number, pointer in enumerate(pointers):
            if at >= count:
                return
            depth = max(0, number - _DIRECT + 1)
            yield from self._pointed(pointer, depth, at, count)
            at += (self._block // 4) ** depth

    def _pointed(self, pointer: int, depth: int, at: int, count: int) -> Iterator[_Run]:
        if not pointer or at >= count:
            return
        if not depth:
            yield _Run(at, 1, pointer)
            return
        below = self._metadata(pointer * self._block, self._block)
        step = (self._block // 4) ** (depth - 1)
        for number, (child,) in enumerate(struct.iter_unpack("<I", below)):
            yield from self._pointed(child, depth - 1, at + number * step, count)

    def _metadata(self, at: int, count: int) -> bytes:
        self._read_blocks += 1
        if self._read_blocks > MOST_BLOCKS:
            raise unreadable("its file system has no end")
        return self._bytes(at, count)

    def _bytes(self, at: int, count: int) -> bytes:
        if at + count > self._end:
            raise unreadable("its file system goes on behind the end of the disk")
        self._stored.seek(self._offset + at)
        return exactly(self._stored, count)


def is_here(stored: BinaryIO, offset: int) -> bool:
    """Whether such a file system begins there."""
    stored.seek(offset + SUPERBLOCK + 56)
    return stored.read(2) == MAGIC.to_bytes(2, "little")


def _names(block: bytes) -> Iterator[tuple[str, int]]:
    """What one block of a directory names; blocks of its index say that they hold one entry, of nothing."""
    at = 0
    while at + 8 <= len(block):
        number, length, size = struct.unpack_from("<IHB", block, at)
        if length < 8 or at + length > len(block) or 8 + size > length:
            raise unreadable("a directory of its file system is damaged")
        name = block[at + 8 : at + 8 + size].decode("utf-8", "surrogateescape")
        if number and name not in ("", ".", "..") and "/" not in name and "\0" not in name:
            yield name, number
        at += length
