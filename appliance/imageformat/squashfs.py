"""The superblock of a squashfs (Linux, Documentation/filesystems/squashfs.rst): whether the file is whole. Pure."""

import lzma
import struct
import zlib
from collections.abc import Sequence
from typing import BinaryIO

from appliance.errors import Invalid
from appliance.imageformat import os_release
from appliance.imageformat.found import Found, exactly, unreadable
from appliance.imageformat.squashfs_tree import Tree, Unzstd

MAGIC = b"hsqs"
_SUPERBLOCK = struct.Struct("<4sIIIIHHHHHHQQQQQQQQ")
_COMPRESSORS = {1: "gzip", 2: "lzma", 3: "lzo", 4: "xz", 5: "lz4", 6: "zstd"}
_MISSING = 0xFFFFFFFFFFFFFFFF
"""In place of a table that is not there."""


_PROGRAMS = ("usr/bin/bash", "usr/bin/dash", "usr/bin/busybox", "bin/bash", "bin/dash", "bin/busybox", "usr/bin/env")
"""One of these tells for which processor the system is."""


def found_in(stored: BinaryIO, stored_size: int, unzstd: Unzstd) -> Found:
    """What a squashfs of ``stored_size`` bytes is; raises Invalid where it is damaged or cut off."""
    stored.seek(0)
    (
        magic, inodes, _, block_size, _, compressor, block_log, _, ids, major, minor, root, used,
        id_table, xattrs, inode_table, directories, fragments, exports,
    ) = _SUPERBLOCK.unpack(exactly(stored, _SUPERBLOCK.size))  # fmt: skip
    if magic != MAGIC or (major, minor) != (4, 0):
        raise unreadable(f"this is squashfs {major}.{minor}, and Linux mounts 4.0")
    if compressor not in _COMPRESSORS:
        raise unreadable(f"it is packed in a way that is not known ({compressor})")
    if not 4096 <= block_size <= 1 << 20 or block_size != 1 << min(block_log, 32):
        raise unreadable(f"its blocks would have {block_size} bytes")
    if used > stored_size or used < _SUPERBLOCK.size:
        raise unreadable(f"it has {used} bytes, and {stored_size} are here: it is cut off")
    if not inodes or not ids:
        raise unreadable("it holds nothing")
    for table in (id_table, xattrs, inode_table, directories, fragments, exports):
        if table != _MISSING and not _SUPERBLOCK.size <= table < used:
            raise unreadable("its tables lie where the file has no bytes")
    if not inode_table < directories:
        raise unreadable("its tables are in an order that cannot be")
    tree = Tree(stored, compressor, block_size, root, inode_table, directories, fragments, unzstd)
    release = _first(tree, ("usr/lib/os-release", "etc/os-release"), os_release.LARGEST)
    program = _first(tree, _PROGRAMS, os_release.ELF_HEAD)
    architecture, distribution = os_release.architecture(program), os_release.distribution(release)
    return Found("squashfs", used, architecture=architecture, distribution=distribution)


def _first(tree: Tree, paths: Sequence[str], most: int) -> bytes:
    """The first bytes of the first of these that is there; none where that cannot be told."""
    try:
        return next((found for each in paths if (found := tree.head_of(each, most)) is not None), b"")
    except (Invalid, struct.error, zlib.error, lzma.LZMAError, OverflowError):
        return b""  # whoever mounts it will say what is wrong with it
