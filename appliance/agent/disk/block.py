"""Bytes of block devices: reading, writing, zeroing, and telling the kernel."""

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import StepFailed
from ..run import ProgramFailed, run

BLKRRPART = 0x125F
BLKFLSBUF = 0x1261
BLKZEROOUT = 0x127F
MEBIBYTE = 1 << 20
GONE = (errno.EIO, errno.ENXIO, errno.ENODEV, errno.EREMOTEIO, errno.ENOMEDIUM)
FAILING = (*GONE, errno.ETIMEDOUT, errno.ENOLINK, errno.EBADE, errno.ENODATA, errno.EILSEQ, errno.ENOSPC)
"""All that the kernel says of a disk to whoever writes past the page cache (block/blk-core.c, `blk_errors`).

Of a file system some of them mean something else. ENOSPC is of a disk whose own storage is full.
"""


@contextmanager
def vanishing(name: str, errors: tuple[int, ...] = GONE) -> Iterator[None]:
    """Turn these errors of a disk that fails or is pulled into a StepFailed with the code `disk-vanished`."""
    try:
        yield
    except OSError as error:
        if error.errno not in errors:
            raise
        message = f"disk {name} stopped answering ({os.strerror(error.errno or 0)}); it failed or was pulled out"
        raise StepFailed("disk-vanished", message) from error


@contextmanager
def opened(device: Path, flags: int) -> Iterator[int]:
    """A descriptor of `device`, closed in the end."""
    fd = os.open(device, flags | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def owned(device: Path) -> Iterator[int]:
    """A descriptor to write to `device` while nobody else uses it, synced in the end.

    O_EXCL on a block device fails while it, or a partition of it, is mounted, swap, or part of an array or a
    volume group. Raises StepFailed `disk-in-use`.
    """
    try:
        fd = os.open(device, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        raise StepFailed("disk-in-use", f"{device} is in use: mounted, or part of an array or volume group") from error
    try:
        yield fd
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def past_cache(fd: int) -> Iterator[int]:
    """Another descriptor of the same disk, whose writes go there at once (open(2), O_DIRECT).

    They are of whole pages, at multiples of them on the disk and in memory.
    """
    with opened(Path(f"/proc/self/fd/{fd}"), os.O_WRONLY | os.O_DIRECT) as direct:
        yield direct


def read_at(device: Path, offset: int, size: int) -> bytes:
    """Up to `size` bytes from `offset`; fewer only at the device's end."""
    with opened(device, os.O_RDONLY) as fd:
        return read_range(fd, offset, size)


def read_range(fd: int, offset: int, size: int) -> bytes:
    """As `read_at`, from a descriptor. One pread may return less than asked."""
    parts: list[bytes] = []
    while size > 0:
        part = os.pread(fd, min(size, MEBIBYTE), offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
        size -= len(part)
    return b"".join(parts)


def write_range(fd: int, offset: int, data: bytes | memoryview) -> None:
    """Write all of `data` at `offset`."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(fd, rest, offset)
        offset += written
        rest = rest[written:]


def zero_range(fd: int, offset: int, size: int) -> None:
    """Make a range read as zeros; the disk may do that without being sent any (`BLKZEROOUT`)."""
    if size <= 0:
        return
    try:
        fcntl.ioctl(fd, BLKZEROOUT, struct.pack("QQ", offset, size))
    except OSError as error:
        if error.errno in GONE:
            raise
        _write_zeros(fd, offset, size)


def _write_zeros(fd: int, offset: int, size: int) -> None:
    zeros = bytes(min(size, MEBIBYTE))
    for at in range(offset, offset + size, MEBIBYTE):
        write_range(fd, at, memoryview(zeros)[: offset + size - at])


def forget_cache(fd: int) -> None:
    """Sync, and drop what the kernel has read of the device before, so that the next read asks the disk."""
    os.fsync(fd)
    with suppress(OSError):
        fcntl.ioctl(fd, BLKFLSBUF, 0)


def look_anew(device: Path) -> None:
    """Let the next read ask the disk: one that others reach too may have changed since it was last read."""
    with opened(device, os.O_RDONLY) as fd:
        forget_cache(fd)


def reread_partitions(device: Path) -> None:
    """Make the kernel look at the partition table again, and wait until udev has made the nodes."""
    with opened(device, os.O_RDONLY) as fd:
        try:
            fcntl.ioctl(fd, BLKRRPART, 0)
        except OSError as error:
            if error.errno == errno.EBUSY:
                run(["partx", "--update", str(device)])
            elif error.errno != errno.EINVAL:  # EINVAL: a kind of device that has no partitions
                raise
    settle()


def settle() -> None:
    """Wait for udev; where there is none there is nothing to wait for."""
    with suppress(ProgramFailed):
        run(["udevadm", "settle", "--timeout=20"], timeout=30)
