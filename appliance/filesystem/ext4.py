"""An ext4 file system for a root: how large it has to be, and the words that make and check it. Pure."""

import re
import uuid

from appliance.errors import ApplianceError
from appliance.imageformat.tar import FS_BLOCK, Needs
from appliance.volume import GRAIN

KIND = "ext4"
FEATURES = (
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,"
    "dir_nlink,extra_isize,metadata_csum"
)
"""What every kernel since 4.18 mounts for writing, that of RHEL 8 among them; newer programs would choose more."""
INODE = 256
"""Bytes."""
INODE_RATIO = 16384
"""Bytes of the file system for each inode, at least so many: as mke2fs has it."""
SMALL_JOURNAL, JOURNAL = 16 << 20, 64 << 20
LARGE = 2 << 30
"""Bytes of a file system from which on its journal is the larger one."""
SPARE = 256 << 20
"""Bytes that are free in it at least, or a quarter of its content where that is more."""
_SPACE = uuid.UUID("5c7d1f3e-92b4-5a60-8d0e-6f2b41c9a7d3")
_OLDEST = (1, 47, 1)
"""Of e2fsprogs: the first that makes a file system of an archive."""
_VERSION = re.compile(r"mke2fs (\d+)\.(\d+)(?:\.(\d+))?")


def uuid_for(key: str) -> str:
    """The UUID of the file system in the volume of this id: the same, however often it has to be made."""
    return str(uuid.uuid5(_SPACE, key))


def size_for(needs: Needs, least: int = 0) -> int:
    """Bytes of a file system with that content and room to spare; whole grains, ``least`` or more."""
    content = needs.blocks * FS_BLOCK
    size = content + max(SPARE, content // 4) + inodes_for(needs, content) * INODE
    size += JOURNAL if size >= LARGE else SMALL_JOURNAL
    size += size // 64 + GRAIN  # descriptors of groups, and room for more of them when it grows
    return -(-max(size, least) // GRAIN) * GRAIN


def inodes_for(needs: Needs, size: int) -> int:
    """How many files can be in it."""
    return max(needs.inodes + needs.inodes // 4 + 1024, size // INODE_RATIO)


def made_of_archive(target: str, key: str, needs: Needs, size: int) -> list[str]:
    """The words that fill ``target``, a file of ``size`` bytes, with the archive on standard input.

    Nothing is left to be zeroed by a kernel when it is first mounted: what was not written is a hole.
    """
    extended = "root_owner=0:0,assume_storage_prezeroed=1,nodiscard"
    journal = (JOURNAL if size >= LARGE else SMALL_JOURNAL) >> 20
    return [
        "mke2fs", "-q", "-F", "-t", KIND, "-O", FEATURES, "-b", str(FS_BLOCK), "-I", str(INODE), "-m", "1",
        "-N", str(inodes_for(needs, size)), "-J", f"size={journal}", "-U", key, "-E", extended, "-d", "-", target,
        str(size // FS_BLOCK),
    ]  # fmt: skip


def checked(target: str) -> list[str]:
    """The words that look at all of it and change nothing; they end with an error for any mistake in it."""
    return ["e2fsck", "-f", "-n", target]


def check_version(said: str) -> None:
    """Raise ApplianceError ``mke2fs-old`` where ``mke2fs -V`` says that it is too old."""
    found = _VERSION.search(said)
    version = tuple(int(each or 0) for each in found.groups()) if found else (0, 0, 0)
    if version < _OLDEST:
        text = f"mke2fs here is {'.'.join(map(str, version))}, and makes no file system of an archive before 1.47.1"
        raise ApplianceError("mke2fs-old", text, "install e2fsprogs of Debian 13, or use the appliance's own image")
