"""Disk bytes onto a disk, so that it cannot boot before every one of them is there and right."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress

from ..disk import block, marker
from ..errors import StepFailed

HEAD = 1 << 20
"""Bytes kept back until all others are on the disk: boot sector, partition table, first boot loader stage."""
SYNC_EVERY = 32 << 20
"""Bytes after which the disk must have caught up: keeps progress honest and errors close to their cause."""
ZEROS = bytes(HEAD)


class ImageWriter:
    """Writes `size` bytes to `fd`. `may_write` gets the image's head and raises when the disk is not ours."""

    def __init__(self, fd: int, size: int, attempt: str, sector_size: int, may_write: Callable[[bytes], None]) -> None:
        self.fd = fd
        self.size = size
        self.mark = marker.encode(attempt).ljust(sector_size, b"\0")
        self.may_write = may_write
        self.head = b""
        self.written = 0
        """Bytes that were taken, the head included."""
        self._zeros_from: int | None = None
        self._unsynced = 0

    def write_all(self, blocks: Iterator[bytes], progress: Callable[[int], None]) -> None:
        """Take all of `blocks`, then complete the disk. `progress` is told the bytes so far.

        Raises StepFailed, and whatever `blocks`, `progress` and the disk raise; the disk then cannot boot.
        """
        for piece in exactly(blocks, HEAD):
            self._take(piece)
            progress(self.written)
        if self.written != self.size:
            raise StepFailed("image-corrupt", f"the image unpacks to {self.written} bytes, not to {self.size}")
        self._flush_zeros(self.written)
        os.fsync(self.fd)
        self._complete()

    def _take(self, piece: bytes) -> None:
        if self.written + len(piece) > self.size:
            raise StepFailed("image-corrupt", f"the image unpacks to more than its {self.size} bytes")
        if self.written == 0:
            self._begin(piece)
        elif piece == ZEROS[: len(piece)]:
            self._zeros_from = self.written if self._zeros_from is None else self._zeros_from
        else:
            self._flush_zeros(self.written)
            block.write_range(self.fd, self.written, piece)
            self._synced_now_and_then(len(piece))
        self.written += len(piece)

    def _begin(self, head: bytes) -> None:
        self.may_write(head)
        self.head = head
        self._unboot()

    def _unboot(self) -> None:
        block.write_range(self.fd, 0, self.mark)
        os.fsync(self.fd)
        block.zero_range(self.fd, len(self.mark), len(self.head) - len(self.mark))

    def _flush_zeros(self, end: int) -> None:
        if self._zeros_from is not None:
            block.zero_range(self.fd, self._zeros_from, end - self._zeros_from)
            self._zeros_from = None

    def _synced_now_and_then(self, size: int) -> None:
        self._unsynced += size
        if self._unsynced >= SYNC_EVERY:
            os.fdatasync(self.fd)
            self._unsynced = 0

    def _complete(self) -> None:
        """The rest of the head first, the first sector, which takes the mark's place, last."""
        first = len(self.mark)
        try:
            block.write_range(self.fd, first, self.head[first:])
            os.fsync(self.fd)
            block.write_range(self.fd, 0, self.head[:first])
            block.forget_cache(self.fd)
        except OSError:
            with suppress(OSError):
                self._unboot()
            raise


def exactly(blocks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of `size`; only the last one may be shorter."""
    waiting = bytearray()
    for piece in blocks:
        waiting += piece
        while len(waiting) >= size:
            yield bytes(waiting[:size])
            del waiting[:size]
    if waiting:
        yield bytes(waiting)
