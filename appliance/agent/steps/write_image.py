"""Step `write-image`: stream an image onto the prepared disk; it can boot only when all of it is right."""

import time
from collections.abc import Callable

from ..disk import block, marker
from ..disk.model import Disk, must_be_writable, must_fit
from ..errors import StepFailed
from ..image.decompress import unpacked
from ..image.download import Source, download
from ..image.writer import ImageWriter
from ..job import Job, Outcome, Params

MEGABYTE = 1_000_000


def write_image(job: Job) -> Outcome:
    """Download, unpack, write and verify in one go. Raises StepFailed, Abandoned."""
    disk = job.disk()
    image = job.params.inner("image")
    size = image.integer("size")
    must_be_writable(disk)
    must_fit(disk, size, disk.sector_size)
    with block.vanishing(disk.name, block.FAILING), block.owned(disk.device) as fd:
        stored = download(source_of(image), _waiter(job))
        with unpacked(stored, image.text("format")) as fill:
            writer = ImageWriter(fd, size, job.attempt, disk.sector_size, _guard(job, disk))
            writer.write_all(fill, _meter(job, size))
    block.reread_partitions(disk.device)
    return Outcome({"bytes": size}, f"{size} bytes written and verified")


def source_of(image: Params) -> Source:
    """Where the stored image is and what it must be."""
    return Source(image.text("url"), image.text("token"), image.integer("stored_size"), image.text("stored_sha256"))


def _guard(job: Job, disk: Disk) -> Callable[[bytes], None]:
    """A disk without this attempt's mark is not ours to write to; unless it holds this very image already.

    The latter is what a power cut leaves between the last byte and the report.
    """

    def may_write(head: bytes) -> None:
        if marker.read(disk.device) == job.attempt:
            return
        if block.read_at(disk.device, 0, len(head)) != head:
            raise StepFailed("disk-changed", f"disk {disk} was not prepared by this attempt; it is left alone")

    return may_write


def _waiter(job: Job) -> Callable[[float, str], None]:
    def wait(seconds: float, why: str) -> None:
        job.waiting(f"waiting for the image: {why}")
        job.hardware.pause(seconds)

    return wait


def _meter(job: Job, size: int) -> Callable[[int], None]:
    began = time.monotonic()

    def tell(written: int) -> None:
        rate = written / max(time.monotonic() - began, 0.001)
        words = f"{written // MEGABYTE} of {size // MEGABYTE} MB, {rate / MEGABYTE:.0f} MB/s"
        job.progress(written / max(size, 1), words)

    return tell
