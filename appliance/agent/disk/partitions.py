"""Reaching a partition as a device of its own, and mounting it."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..run import ProgramFailed, run
from . import loop
from .model import Disk
from .table import Partition

SYS_BLOCK = Path("/sys/class/block")
SAFE = "nosuid,nodev,noexec"
"""Nothing of an image is ever executed in the maintenance stack."""


@contextmanager
def device_of(disk: Disk, partition: Partition) -> Iterator[Path]:
    """The device of `partition`; a loop device where the kernel makes none for partitions of this disk."""
    if partition.number == 0:
        yield disk.device
    elif node := _node(disk, partition.number):
        yield node
    else:
        with loop.attached(disk.device, partition.start, partition.size, disk.sector_size) as device:
            yield device


def _node(disk: Disk, number: int) -> Path | None:
    for entry in (SYS_BLOCK / disk.device.name).glob(f"{disk.device.name}*/partition"):
        if entry.read_text().strip() == str(number):
            return Path("/dev") / entry.parent.name
    return None


@contextmanager
def mounted(device: Path, filesystem: str, options: Sequence[str] = ("ro",)) -> Iterator[Path]:
    """`device` mounted at a new private directory, taken down in the end. Raises ProgramFailed."""
    point = Path(tempfile.mkdtemp(prefix="qrm-mount-"))
    try:
        run(["mount", "-t", filesystem, "-o", ",".join([*options, SAFE]), str(device), str(point)])
        try:
            yield point
        finally:
            _unmount(point)
    finally:
        with suppress(OSError):
            point.rmdir()


def _unmount(point: Path) -> None:
    try:
        run(["umount", str(point)], timeout=300)  # flushes what was written
    except ProgramFailed:
        with suppress(ProgramFailed):
            run(["umount", "--lazy", str(point)])
        raise
