"""One opened disk, as a wipe uses it: the seam behind which tests have disks of their own."""

import errno
import fcntl
import mmap
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from ..disk import block
from ..disk.model import Disk
from ..run import ProgramFailed, run
from . import passthrough
from .ata import Answer, Command
from .methods import QueueLimits
from .nvme import Admin

READ_ONLY = os.O_RDONLY
"""Enough to command a disk, and closing it wakes nobody who would look at it anew."""
BLKDISCARD = 0x1277
BLKSECDISCARD = 0x127D
ZERO_SECONDS = 3600.0
"""For one piece: some disks are slow at it."""
SYS_BLOCK = Path("/sys/class/block")
ZEROS = mmap.mmap(-1, 4 << 20)
"""Whole pages of zeros, as a write past the cache needs them."""


class Drive(Protocol):
    """A disk. Offsets and sizes are bytes, whole sectors. Everything may raise OSError."""

    @property
    def disk(self) -> Disk:
        """What the kernel knows of it."""

    @property
    def speaks(self) -> str:
        """Whose commands it takes: `nvme`, `ata`, or "" for neither."""

    def limits(self) -> QueueLimits:
        """What the kernel says of its queue."""

    def nsid(self) -> int:
        """The number of an NVMe disk's namespace."""

    def nvme(self, command: Admin) -> bytes:
        """What an admin command brings. Raises passthrough.Refused."""

    def ata(self, command: Command) -> Answer:
        """What an ATA command brings. Raises passthrough.Refused."""

    def read(self, at: int, size: int) -> bytes:
        """What is there."""

    def write(self, at: int, data: bytes) -> None:
        """Write `data`."""

    def write_zeros(self, at: int, size: int) -> None:
        """Send zeros, all of them, past the kernel's cache."""

    def zero_by_itself(self, at: int, size: int) -> None:
        """Have the disk make a range read as zeros without being sent any. Raises passthrough.Refused."""

    def discard(self, at: int, size: int, *, secure: bool) -> None:
        """Tell the disk that a range is needed no longer; `secure`: copies of it, too."""

    def forget_cache(self) -> None:
        """Write out what waits; the next read asks the disk."""


class OpenDrive:
    """A disk of this computer, by a descriptor that is open for reading and writing."""

    def __init__(self, disk: Disk, fd: int) -> None:
        self.disk, self._fd = disk, fd
        self.speaks = language(SYS_BLOCK, disk)

    def limits(self) -> QueueLimits:
        return read_limits(SYS_BLOCK / self.disk.device.name / "queue")

    def nsid(self) -> int:
        return passthrough.nvme_namespace(self._fd)

    def nvme(self, command: Admin) -> bytes:
        return passthrough.nvme(self._fd, command)

    def ata(self, command: Command) -> Answer:
        return passthrough.ata(self._fd, command)

    def read(self, at: int, size: int) -> bytes:
        return block.read_range(self._fd, at, size)

    def write(self, at: int, data: bytes) -> None:
        block.write_range(self._fd, at, data)

    def write_zeros(self, at: int, size: int) -> None:
        with block.opened(self.disk.device, os.O_WRONLY | os.O_DIRECT) as fd, memoryview(ZEROS) as zeros:
            while size > 0:
                written = os.pwrite(fd, zeros[: min(size, len(ZEROS))], at)
                at, size = at + written, size - written

    def zero_by_itself(self, at: int, size: int) -> None:
        # On a disk a hole is zeros that it makes by itself, or "not supported": the kernel sends none (block/fops.c).
        where = ["--offset", str(at), "--length", str(size)]
        try:
            run(["fallocate", "--punch-hole", *where, str(self.disk.device)], timeout=ZERO_SECONDS)
        except ProgramFailed as error:
            raise passthrough.Refused(error.message) from error

    def discard(self, at: int, size: int, *, secure: bool) -> None:
        fcntl.ioctl(self._fd, BLKSECDISCARD if secure else BLKDISCARD, struct.pack("QQ", at, size))

    def forget_cache(self) -> None:
        block.forget_cache(self._fd)


def language(sys_block: Path, disk: Disk) -> str:
    """Whose commands a disk takes. A controller in between that only pretends must not be sent any.

    USB bridges are left alone: some let the password of an ATA disk through, and then not its erase. NVMe over a
    network is somebody's array, and not a disk.
    """
    device = sys_block / disk.device.name / "device"
    if disk.name.startswith("nvme"):
        ways = [path.read_text().strip() for path in (*device.glob("transport"), *device.glob("nvme*/transport"))]
        return "nvme" if ways and set(ways) == {"pcie"} else ""
    with suppress(OSError):
        if disk.transport != "usb" and (device / "vendor").read_text().strip() == "ATA":
            return "ata"
    return ""


def read_limits(queue: Path) -> QueueLimits:
    """From a queue's directory; what an old kernel does not say is 0."""
    return QueueLimits(_number(queue / "discard_max_bytes"), _number(queue / "write_zeroes_max_bytes"))


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def is_gone(error: OSError) -> bool:
    """Whether the disk itself is not there any more, in the place of one command failing."""
    return error.errno in (errno.ENXIO, errno.ENODEV, errno.ENOMEDIUM)
