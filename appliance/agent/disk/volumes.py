"""The file systems on a written disk."""

from dataclasses import dataclass

from . import content
from .model import Disk
from .table import Partition, read_table

LINUX = ("ext4", "ext3", "ext2", "xfs", "btrfs")


@dataclass(frozen=True)
class Volume:
    """A partition with what it holds."""

    partition: Partition
    inside: content.Signature

    @property
    def filesystem(self) -> str:
        """As blkid and mount call it."""
        return self.inside.type

    @property
    def is_linux(self) -> bool:
        """Whether a Linux system can have its root here."""
        return self.filesystem in LINUX


def read_volumes(disk: Disk) -> list[Volume]:
    """All partitions in the order of their start; the whole disk as number 0 when it has no table."""
    table = read_table(disk.device)
    partitions = table.partitions if table else (Partition(0, 0, disk.size),)
    ordered = sorted(partitions, key=lambda partition: partition.start)
    return [Volume(partition, content.probe(disk.device, partition)) for partition in ordered]
