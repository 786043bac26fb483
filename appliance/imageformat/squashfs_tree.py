"""A file in a squashfs, found and read without mounting it (Documentation/filesystems/squashfs.rst). Pure.

Only what lies on the way to it is read: a few blocks of inodes, of directories and one of data.
"""

import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from appliance.imageformat.found import unreadable

MOST_BLOCKS = 400
"""Blocks that are unpacked for one file system."""
LARGEST_LISTING = 4 << 20
"""Bytes of one directory."""
_METADATA = 8192
_UNCOMPRESSED_METADATA, _UNCOMPRESSED_DATA = 0x8000, 1 << 24
_NONE = 0xFFFFFFFF
_DIRECTORIES, _FILES = (1, 8), (2, 9)
_FRAGMENTS_IN_BLOCK = 512
XZ_MEMORY = 128 << 20
"""Bytes; a block has 1 MiB at most."""

Unzstd = Callable[[bytes, int], bytes]
"""Unpacks a block of Zstandard, to so many bytes at most."""


@dataclass(slots=True)
class Tree:
    """One file system; every method raises Invalid, or struct.error, for what cannot be read."""

    stored: BinaryIO
    compressor: int
    block_size: int
    root: int
    inodes: int
    directories: int
    fragments: int
    unzstd: Unzstd
    _unpacked: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    """Blocks of metadata, and where the next one begins."""
    _blocks: int = 0

    def head_of(self, path: str, most: int) -> bytes | None:
        """The first bytes of a regular file; None where there is none of this name. Links are not followed."""
        kind, at = 1, self.root
        for name in path.split("/"):
            found = self._entry(at, name) if kind in _DIRECTORIES else None
            if found is None:
                return None
            kind, at = found
        return self._content(at)[:most] if kind in _FILES else None

    def _inflate(self, packed: bytes, most: int) -> bytes:
        self._blocks += 1
        if self._blocks > MOST_BLOCKS:
            raise unreadable("its directories have no end")
        match self.compressor:
            case 1:
                return zlib.decompressobj().decompress(packed, most)
            case 2:
                return lzma.LZMADecompressor(lzma.FORMAT_ALONE, XZ_MEMORY).decompress(packed, most)
            case 4:
                return lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY).decompress(packed, most)
            case 6:
                return self.unzstd(packed, most)
        raise unreadable("it is packed in a way that is not read here")

    def _at(self, place: int, count: int) -> bytes:
        self.stored.seek(place)
        return self.stored.read(count)

    def _metadata(self, place: int) -> tuple[bytes, int]:
        if place not in self._unpacked:
            (head,) = struct.unpack("<H", self._at(place, 2))
            size = head & ~_UNCOMPRESSED_METADATA
            packed = self._at(place + 2, min(size, _METADATA))
            plain = packed if head & _UNCOMPRESSED_METADATA else self._inflate(packed, _METADATA)
            self._unpacked[place] = plain, place + 2 + size
        return self._unpacked[place]

    def _read(self, place: int, offset: int, count: int) -> bytes:
        """So many bytes of metadata from an offset in the block at a place on; blocks follow each other."""
        found = b""
        while len(found) < count:
            plain, place = self._metadata(place)
            if offset >= len(plain):
                raise unreadable("its tables end too early")
            found += plain[offset : offset + count - len(found)]
            offset = 0
        return found

    def _inode(self, reference: int, size: int) -> bytes:
        """The first bytes of an inode; its kind and what all have in common take 16."""
        return self._read(self.inodes + (reference >> 16), reference & 0xFFFF, size)

    def _entry(self, directory: int, name: str) -> tuple[int, int] | None:
        """Kind and reference of what a directory has under a name."""
        wanted = name.encode()
        return next(((kind, at) for each, kind, at in self._entries(directory) if each == wanted), None)

    def _entries(self, directory: int) -> Iterator[tuple[bytes, int, int]]:
        content, at = self._listing(directory), 0
        while at + 12 <= len(content):
            count, block, _ = struct.unpack_from("<III", content, at)
            at += 12
            for _ in range(min(count + 1, 256)):  # as many as one header has at most
                offset, _, kind, length = struct.unpack_from("<HhHH", content, at)
                yield content[at + 8 : at + 9 + length], kind, block << 16 | offset
                at += 9 + length

    def _listing(self, directory: int) -> bytes:
        (kind,) = struct.unpack("<H", self._inode(directory, 2))
        if kind == 1:
            block, _, size, offset = struct.unpack("<IIHH", self._inode(directory, 28)[16:])
        else:
            _, size, block, _, _, offset = struct.unpack("<IIIIHH", self._inode(directory, 36)[16:])
        if size < 3 or size > LARGEST_LISTING:  # an empty one has 3, for . and ..
            raise unreadable("a directory of it has a size that cannot be")
        return self._read(self.directories + block, offset, size - 3) if size > 3 else b""

    def _content(self, file: int) -> bytes:
        """The first block of a file, or all of it where it shares a block with others."""
        (kind,) = struct.unpack("<H", self._inode(file, 2))
        if kind == 2:
            start, fragment, offset, size = struct.unpack("<IIII", self._inode(file, 32)[16:])
            head = 32
        else:
            start, size, _, _, fragment, offset, _ = struct.unpack("<QQQIIII", self._inode(file, 56)[16:])
            head = 56
        if size >= self.block_size or fragment == _NONE:
            (stored,) = struct.unpack("<I", self._inode(file, head + 4)[head:]) if size else (0,)
            return self._data(start, stored)[:size]
        pointer = self._at(self.fragments + 8 * (fragment // _FRAGMENTS_IN_BLOCK), 8)
        (table,) = struct.unpack("<Q", pointer)
        start, stored, _ = struct.unpack("<QII", self._read(table, 16 * (fragment % _FRAGMENTS_IN_BLOCK), 16))
        return self._data(start, stored)[offset : offset + size]

    def _data(self, start: int, stored: int) -> bytes:
        size = stored & ~_UNCOMPRESSED_DATA
        if not size:  # a hole
            return b""
        packed = self._at(start, min(size, self.block_size))
        return packed if stored & _UNCOMPRESSED_DATA else self._inflate(packed, self.block_size)
