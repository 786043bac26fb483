"""Disk bytes onto a disk, so that it cannot boot before every one of them is there and right."""

import itertools
import mmap
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from ..disk import block, marker
from ..errors import StepFailed
from .decompress import Fill

HEAD = 1 << 20
"""Bytes kept back until all others are on the disk: boot sector, partition table, first boot loader stage."""
PIECE = 4 * HEAD
"""Bytes that the disk gets at once: enough to be busy, few enough for progress to be true."""
PAGE = mmap.PAGESIZE
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

    def write_all(self, fill: Fill, progress: Callable[[int], None]) -> None:
        """Take all that `fill` has, then complete the disk. `progress` is told the bytes so far.

        Raises StepFailed, and whatever `fill`, `progress` and the disk raise; the disk then cannot boot.
        """
        with block.past_cache(self.fd) as direct:
            self._take_all(fill, progress, direct)
        if self.written != self.size:
            raise StepFailed("image-corrupt", f"the image unpacks to {self.written} bytes, not to {self.size}")
        self._flush_zeros(self.written)
        os.fsync(self.fd)
        self._complete()

    def _take_all(self, fill: Fill, progress: Callable[[int], None], direct: int) -> None:
        """One piece comes while the one before it is written."""
        under_way: Future[None] | None = None
        with ThreadPoolExecutor(1, "disk-writer") as disk:
            for piece in pieces(fill):
                if self.written + len(piece) > self.size:
                    raise StepFailed("image-corrupt", f"the image unpacks to more than its {self.size} bytes")
                if self.written == 0:
                    self._begin(bytes(piece[:HEAD]))
                if under_way:
                    under_way.result()
                under_way = disk.submit(self._put, direct, self.written, piece)
                self.written += len(piece)
                progress(self.written)
            if under_way:
                under_way.result()

    def _put(self, direct: int, offset: int, piece: memoryview) -> None:
        """All of a piece but zeros, which are put together, and the head."""
        begin = max(HEAD - offset, 0)
        for at in range(begin, len(piece), HEAD):
            part = piece[at : at + HEAD]
            if not is_zeros(part):
                self._flush_zeros(offset + at)
                continue
            self._write(direct, offset + begin, piece[begin:at])
            begin = at + len(part)
            self._zeros_from = offset + at if self._zeros_from is None else self._zeros_from
        self._write(direct, offset + begin, piece[begin:])

    def _write(self, direct: int, offset: int, data: memoryview) -> None:
        pages = len(data) // PAGE * PAGE
        block.write_range(direct, offset, data[:pages])
        block.write_range(self.fd, offset + pages, data[pages:])  # the image's last bytes

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


def pieces(fill: Fill, size: int = PIECE) -> Iterator[memoryview]:
    """All that `fill` has in pieces of `size`, in whole pages of memory; only the last one may be shorter.

    A piece stays as it is until the next but one is asked for.
    """
    for buffer in itertools.cycle([memoryview(mmap.mmap(-1, size)) for _ in range(2)]):
        got = 0
        while got < size and (more := fill(buffer[got:])):
            got += more
        if got:
            yield buffer[:got]
        if got < size:
            return


def is_zeros(part: memoryview) -> bool:
    """Whether it is HEAD zeros, or fewer; what begins with something else is not looked at further."""
    return bytes(part[:PAGE]) == ZEROS[: len(part[:PAGE])] and bytes(part) == ZEROS[: len(part)]
