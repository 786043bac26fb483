"""The guest's scratch disks, by names that stay: four on SCSI and one on NVMe.

As a program (``python3 -m tests.guest.inside.disks``): takes apart what is on them, and makes them blank.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.guest.inside.programs import run

BY_ID = Path("/dev/disk/by-id")
SCSI = [BY_ID / f"scsi-0QEMU_QEMU_HARDDISK_scratch{number}" for number in range(4)]
NVME = BY_ID / "nvme-QEMU_NVMe_Ctrl_scratch4"


class Disks:
    """``scsi`` and ``nvme`` are paths of whole disks, each of 8 GiB, which take space only where they are written."""

    def __init__(self) -> None:
        self.scsi = [path.resolve() for path in SCSI]
        self.nvme = NVME.resolve()

    def clear(self) -> None:
        """Take apart what is mounted, mapped and known on them, innermost first; then they read as zeros."""
        for disk in [*self.scsi, self.nvme]:
            for held in reversed(list(nodes(tree(disk)))):
                release(held)
            run("blkdiscard", "--force", str(disk))
        run("udevadm", "settle")


def tree(disk: Path) -> dict[str, Any]:
    """A disk and what lies on it, as lsblk(8) tells it."""
    listing = run("lsblk", "--json", "--paths", "--output", "NAME,TYPE,MOUNTPOINTS", str(disk))
    found: dict[str, Any] = json.loads(listing)["blockdevices"][0]
    return found


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The node and all above it, in the order in which they were made."""
    yield node
    for child in node.get("children", ()):
        yield from nodes(child)


def release(node: dict[str, Any]) -> None:
    """Unmount one device, and take it away if it is a mapping."""
    for place in filter(None, node["mountpoints"]):
        run("umount", "--lazy", place)
    if node["type"] not in ("disk", "part", "loop") and Path(node["name"]).exists():
        run("dmsetup", "remove", "--retry", node["name"])


if __name__ == "__main__":
    Disks().clear()
