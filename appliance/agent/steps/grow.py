"""Step `grow`: give the space after an image's end to its last partition and the file system in it."""

import uuid
from contextlib import suppress

from ..disk import block
from ..disk.content import disk_guid
from ..disk.growing import grow_filesystem
from ..disk.model import Disk
from ..disk.partitions import device_of
from ..disk.table import Table, read_table
from ..disk.volumes import Volume, read_volumes
from ..job import Job, Outcome
from ..run import ProgramFailed, run


def grow(job: Job) -> Outcome:
    """Grow what can be grown; a last partition with anything else in it stays. Safe to repeat."""
    disk = job.disk()
    with block.vanishing(disk.name):
        table = read_table(disk.device)
        if table:
            _fit_table(disk, table, job.attempt)
        grown = _grow_last(disk, table)
        guid = disk_guid(read_table(disk.device))
    number = grown.partition.number if grown else None
    size = grown.partition.size if grown else disk.size
    return Outcome({"grown": number, "size": size, "disk_guid": guid})


def guid_of(attempt: str) -> str:
    """The GUID that a disk gets from this attempt: all disks from one image would have the same (pure)."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"qrm:attempt:{attempt}"))


def _fit_table(disk: Disk, table: Table, attempt: str) -> None:
    """A GPT keeps its second copy in the disk's last sectors (UEFI 2.10, 5.3.2); the image's end is too early."""
    if table.label == "gpt":
        run(["sgdisk", "--move-second-header", f"--disk-guid={guid_of(attempt)}", str(disk.device)])
        block.reread_partitions(disk.device)


def _grow_last(disk: Disk, table: Table | None) -> Volume | None:
    volumes = read_volumes(disk)
    if not volumes or not volumes[-1].is_linux:
        return None
    if table:
        _grow_partition(disk, volumes[-1].partition.number)
    last = read_volumes(disk)[-1]
    with device_of(disk, last.partition) as device:
        grow_filesystem(device, last.filesystem)
    return last


def _grow_partition(disk: Disk, number: int) -> None:
    argv = ["sfdisk", "--no-reread", "--no-tell-kernel", "--quiet", "--partno", str(number), str(disk.device)]
    with suppress(ProgramFailed):  # sfdisk fails when there is nothing to gain
        run(argv, text=", +\n")
    block.reread_partitions(disk.device)
