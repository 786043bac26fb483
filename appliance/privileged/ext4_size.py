"""Whether an ext4 file system has all of its volume, from its superblock (Documentation/filesystems/ext4/super.rst)."""

import struct
from pathlib import Path

KIND = "ext4"
AT, BYTES = 1024, 1024
"""Where the superblock is."""
_MAGIC, _64BIT = 0xEF53, 0x80


def fills(device: Path) -> bool:
    """False also for what is none, or has other sizes than ext4 has: then resize2fs(8) says what it is."""
    with device.open("rb") as file:
        file.seek(AT)
        found = file.read(BYTES)
        size = file.seek(0, 2)
    return len(found) == BYTES and bytes_of(found) > size - _block(found)


def bytes_of(superblock: bytes) -> int:
    """Of the file system; 0 for what is none."""
    (magic,) = struct.unpack_from("<H", superblock, 0x38)
    if magic != _MAGIC:
        return 0
    (low,), (features,) = struct.unpack_from("<I", superblock, 0x04), struct.unpack_from("<I", superblock, 0x60)
    (high,) = struct.unpack_from("<I", superblock, 0x150) if features & _64BIT else (0,)
    return int(low | high << 32) * _block(superblock)


def _block(superblock: bytes) -> int:
    (shift,) = struct.unpack_from("<I", superblock, 0x18)
    return 1024 << min(int(shift), 6)
