"""Step `wipe-disk`: nothing of what was on the disk can be read back through it; looked at, not assumed."""

import time

from ..disk import block, content, erase, free
from ..disk.model import Disk, must_be_writable
from ..errors import StepFailed
from ..job import Job, Outcome
from ..wipe.attempts import mend, wipe
from ..wipe.drive import READ_ONLY, OpenDrive
from ..wipe.methods import CHOICES
from ..wipe.minder import Minder

STRONGEST = "automatic"


def wipe_disk(job: Job) -> Outcome:
    """Wipe the whole disk as the user asked for it, and read it back. Raises StepFailed."""
    began = time.monotonic()
    choice = _choice(job)
    disk = job.disk()
    must_be_writable(disk)
    with block.vanishing(disk.name):
        _must_be_agreed(job, disk)
        free.release(disk)
        with block.owned(disk.device) as fd:
            done = wipe(OpenDrive(disk, fd), choice, job.attempt, _minder(job), lambda: job.marked("wiping the disk"))
        block.reread_partitions(disk.device)
    seconds = round(time.monotonic() - began, 1)
    result = {"disk": disk.report(), "asked": choice, "seconds": seconds, **done.report()}
    return Outcome(result, f"disk {disk.name} is wiped by {done.method}")


def _choice(job: Job) -> str:
    """What the user asked for: one of CHOICES."""
    choice = job.params.text("method", STRONGEST)
    if choice not in CHOICES:
        raise StepFailed("bad-params", f"method is none of {', '.join(CHOICES)}")
    return choice


def _must_be_agreed(job: Job, disk: Disk) -> None:
    """Raise StepFailed `disk-changed` unless what is on the disk may go.

    A disk that a wipe has left locked with our password, or in the middle of a sanitize, was agreed to before that:
    what is on it is nothing any more that could be compared.
    """
    with block.opened(disk.device, READ_ONLY) as fd:
        begun = mend(OpenDrive(disk, fd), _minder(job))
    block.look_anew(disk.device)
    if not begun:
        erase.must_be_agreed(disk, content.read_content(disk), job.params.agreement(), job.attempt)


def _minder(job: Job) -> Minder:
    return Minder(job.progress, job.hardware.pause, time.monotonic)
