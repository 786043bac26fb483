"""Giving up what is on a disk: only what was agreed to, and so that a broken-off try can be continued."""

import errno
import fcntl
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import StepFailed
from . import block, marker
from .content import EDGE, Found, fingerprint, summary
from .model import Disk

BLKDISCARD = 0x1277
PIECE = 1 << 30
"""Bytes given up in one call, so that there is progress to tell."""

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Agreement:
    """What the user agreed to lose: the content with this fingerprint, or, when the deployment that asks has
    written the disk before (`owned`), whatever is there now.

    `begun` are earlier attempts at the same: a disk with the mark of one has lost what was agreed to in part.
    """

    fingerprint: str
    owned: bool = False
    begun: frozenset[str] = frozenset()


def must_be_agreed(disk: Disk, found: Found, agreed: Agreement, attempt: str) -> None:
    """Raises StepFailed `disk-changed` unless the disk may be overwritten by `attempt` (pure).

    It may when it holds what the user agreed to lose, or nothing, or when this attempt or an earlier one has begun.
    """
    if agreed.owned or found.empty or found.attempt in agreed.begun | {attempt}:
        return
    if not agreed.fingerprint or fingerprint(disk, found) != agreed.fingerprint:
        raise StepFailed(
            "disk-changed",
            f"disk {disk} no longer holds what was agreed to be erased; it now holds: {summary(found)}",
        )


def mark(fd: int, disk: Disk, attempt: str) -> None:
    """Write the mark that says who is erasing; from here on the disk does not boot."""
    block.write_range(fd, 0, marker.encode(attempt).ljust(disk.sector_size, b"\0"))
    os.fsync(fd)


def erase_traces(fd: int, disk: Disk, found: Found) -> None:
    """Zero both ends of the disk (but for the mark) and of every partition: where signatures stand."""
    block.zero_range(fd, disk.sector_size, min(EDGE, disk.size) - disk.sector_size)
    _zero_end(fd, 0, disk.size)
    for partition in found.table.partitions if found.table else ():
        if not partition.is_extended:
            block.zero_range(fd, partition.start, min(EDGE, partition.size))
            _zero_end(fd, partition.start, partition.size)


def _zero_end(fd: int, start: int, size: int) -> None:
    if size > EDGE:
        length = min(EDGE, size - EDGE)
        block.zero_range(fd, start + size - length, length)


def discard(fd: int, disk: Disk, progress: Progress) -> None:
    """Tell the disk that nothing after its first MiB is needed; flash writes faster then. May do nothing."""
    for at in range(EDGE, disk.size - disk.size % EDGE, PIECE):
        try:
            fcntl.ioctl(fd, BLKDISCARD, struct.pack("QQ", at, _piece(at, disk.size)))
        except OSError as error:
            if error.errno in (errno.EIO, errno.ENXIO, errno.ENODEV):
                raise
            return
        progress(at / disk.size, "discarding")


def _piece(at: int, size: int) -> int:
    return min(PIECE, size - at)
