"""Step `prepare-disk`: check that the disk is the one, and that it may be overwritten; then clear it."""

from ..disk import block, content, erase, free
from ..disk.model import Disk, must_be_writable, must_fit
from ..job import Job, Outcome


def prepare_disk(job: Job) -> Outcome:
    """Everything is checked before anything is changed. Raises StepFailed."""
    disk = job.disk()
    image = job.params.inner("image")
    must_be_writable(disk)
    must_fit(disk, image.integer("size"), image.integer("sector_size"))
    with block.vanishing(disk.name):
        block.look_anew(disk.device)
        found = content.read_content(disk)
        erase.must_be_agreed(disk, found, job.params.agreement(), job.attempt)
        free.release(disk)
        _clear(job, disk, found)
        block.reread_partitions(disk.device)
        now = content.report(disk, content.read_content(disk))
    return Outcome({"disk": {**disk.report(), "content": now}}, f"disk {disk.name} is clear")


def _clear(job: Job, disk: Disk, found: content.Found) -> None:
    with block.owned(disk.device) as fd:
        erase.mark(fd, disk, job.attempt)
        job.marked("clearing the disk")
        erase.erase_traces(fd, disk, found)
        erase.discard(fd, disk, job.progress)
        erase.erase_traces(fd, disk, found)  # a discarded range may read as anything
        block.forget_cache(fd)
