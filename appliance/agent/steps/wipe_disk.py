"""Step `wipe-disk`: nothing of what was on the disk can be read back through it; looked at, not assumed."""

import os

from ..disk import block, content, erase, free
from ..disk.model import Disk, must_be_writable
from ..errors import StepFailed
from ..job import Job, Outcome

SAMPLES = 512
"""Places that are read back, spread evenly, besides both ends of the disk."""
SAMPLE = 64 << 10


def wipe_disk(job: Job) -> Outcome:
    """Zero the whole disk, by the disk's own means where it has some, and read it back. Raises StepFailed."""
    disk = job.disk()
    must_be_writable(disk)
    with block.vanishing(disk.name):
        block.look_anew(disk.device)
        found = content.read_content(disk)
        erase.must_be_agreed(disk, found, job.params.agreement(), job.attempt)
        free.release(disk)
        with block.owned(disk.device) as fd:
            _zero(job, disk, fd)
            verify(fd, disk)
        block.reread_partitions(disk.device)
    return Outcome({"method": "zero", "verified": True}, f"disk {disk.name} is wiped")


def _zero(job: Job, disk: Disk, fd: int) -> None:
    erase.mark(fd, disk, job.attempt)
    erase.discard(fd, disk, job.progress)
    erase.zero_all(fd, disk, job.progress)
    os.fsync(fd)
    block.zero_range(fd, 0, disk.sector_size)
    block.forget_cache(fd)


def verify(fd: int, disk: Disk) -> None:
    """Read samples of the disk itself. Raises StepFailed `wipe-failed` where one is not zero."""
    for at in places(disk.size):
        if any(block.read_range(fd, at, SAMPLE)):
            raise StepFailed("wipe-failed", f"disk {disk} still holds data at byte {at} after it was wiped")


def places(size: int) -> list[int]:
    """Where to look: both ends and SAMPLES places between (pure)."""
    last = max(0, size - SAMPLE)
    return sorted({last * number // SAMPLES // 4096 * 4096 for number in range(SAMPLES)} | {0, last})
