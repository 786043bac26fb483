"""Disks that a power cut in a wipe has left locked: opened again at the next start, before anybody reads them."""

from collections.abc import Iterable
from contextlib import suppress

from ..disk import block
from ..disk.model import Disk
from ..errors import AgentError
from .ata_erase import open_again
from .drive import READ_ONLY, OpenDrive
from .passthrough import Refused


def unlock_ours(disks: Iterable[Disk]) -> list[str]:
    """Open those that are locked with our password; their names. What is on them does not change.

    A disk with another password refuses ours; once is asked for each start, and it counts five before it stops.
    """
    return [disk.name for disk in disks if _is_opened(disk)]


def _is_opened(disk: Disk) -> bool:
    with suppress(AgentError, Refused, OSError, ValueError), block.opened(disk.device, READ_ONLY) as fd:
        drive = OpenDrive(disk, fd)
        if drive.speaks == "ata" and open_again(drive):
            block.reread_partitions(disk.device)
            return True
    return False
