"""A part of a file or device as a block device of its own (loop(4)), which ends with its last user.

The device is set up with LO_FLAGS_AUTOCLEAR: when this process ends, however it ends, the kernel takes it
away. `losetup` has no way to ask for that.
"""

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOOP_CONFIGURE = 0x4C0A
LOOP_CTL_GET_FREE = 0x4C82
READ_ONLY = 1
AUTOCLEAR = 4
INFO = struct.Struct("<QQQQQIIII64s64s32s2Q")
"""struct loop_info64 of linux/loop.h."""
CONFIG = struct.Struct(f"<II{INFO.size}s8Q")
"""struct loop_config of linux/loop.h."""


def attach(source: Path, offset: int = 0, size: int = 0, sector_size: int = 512) -> tuple[Path, int]:
    """Make `size` bytes of `source` (0: to its end) from `offset` a block device.

    Returns its path, and a descriptor that keeps it alive until it is closed. Raises OSError.
    """
    backing = os.open(source, os.O_RDWR | os.O_CLOEXEC)
    try:
        while True:
            path, fd = _free_device()
            if _configure(fd, backing, offset, size, sector_size):
                return path, fd
            os.close(fd)
    finally:
        os.close(backing)


@contextmanager
def attached(source: Path, offset: int, size: int, sector_size: int) -> Iterator[Path]:
    """As `attach`, for as long as the context lasts."""
    path, fd = attach(source, offset, size, sector_size)
    try:
        yield path
    finally:
        os.fsync(fd)
        os.close(fd)


def _free_device() -> tuple[Path, int]:
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        number = fcntl.ioctl(control, LOOP_CTL_GET_FREE)
    finally:
        os.close(control)
    path = Path(f"/dev/loop{number}")
    if not path.exists():  # no udev here
        os.mknod(path, 0o60660, os.makedev(7, number))
    return path, os.open(path, os.O_RDWR | os.O_CLOEXEC)


def _configure(fd: int, backing: int, offset: int, size: int, sector_size: int) -> bool:
    info = INFO.pack(0, 0, 0, offset, size, 0, 0, 0, AUTOCLEAR, b"", b"", b"", 0, 0)
    config = CONFIG.pack(backing, sector_size, info, *[0] * 8)
    try:
        fcntl.ioctl(fd, LOOP_CONFIGURE, config)
    except OSError as error:
        if error.errno == errno.EBUSY:  # somebody was quicker
            return False
        raise
    return True
