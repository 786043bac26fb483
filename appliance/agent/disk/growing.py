"""Giving a file system all of the device that it is on."""

from pathlib import Path

from ..run import run
from .partitions import mounted

LONG = 1800.0
"""Seconds that checking and growing a large file system on a slow disk may take."""


def grow_filesystem(device: Path, filesystem: str) -> None:
    """Grow ext2 to ext4, xfs or btrfs on `device`, which nobody has mounted; as large already, it stays.

    An ext4 is checked first, and what can be mended without a question is. Raises ProgramFailed.
    """
    if filesystem.startswith("ext"):
        run(["e2fsck", "-f", "-p", str(device)], timeout=LONG, good=(0, 1))
        run(["resize2fs", str(device)], timeout=LONG)
        return
    with mounted(device, filesystem, ("rw",)) as point:
        if filesystem == "xfs":
            run(["xfs_growfs", str(point)], timeout=LONG)
        else:
            run(["btrfs", "filesystem", "resize", "max", str(point)], timeout=LONG)
