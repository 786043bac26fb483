"""A disk as the kernel shows it (pure)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import StepFailed


@dataclass(frozen=True)
class Disk:
    """One whole disk. Sizes are in bytes; `path` is the name by the socket it is in, "" when there is none."""

    name: str
    device: Path
    path: str
    model: str
    serial: str
    wwn: str
    size: int
    sector_size: int
    physical_sector_size: int
    rotational: bool
    transport: str
    read_only: bool

    def report(self) -> dict[str, Any]:
        """The disk's own part of an inventory entry."""
        return {
            "name": self.name,
            "path": self.path or str(self.device),
            "model": self.model,
            "serial": self.serial,
            "wwn": self.wwn,
            "bytes": self.size,
            "sector_size": self.sector_size,
            "physical_sector_size": self.physical_sector_size,
            "rotational": self.rotational,
            "transport": self.transport,
            "read_only": self.read_only,
        }

    def __str__(self) -> str:
        return f"{self.name} ({self.model or 'disk'}, serial {self.serial or self.wwn}, {self.size} bytes)"


@dataclass(frozen=True)
class Wanted:
    """The disk that a step names. Never by kernel name: `sda` is another disk after the next boot."""

    serial: str
    wwn: str
    size: int | None


def find(disks: list[Disk], wanted: Wanted) -> Disk:
    """The one disk that is meant, exactly. Raises StepFailed when there is none, or more than one."""
    if not wanted.serial and not wanted.wwn:
        raise StepFailed("bad-params", "the step names its disk neither by serial number nor by WWN")
    found = [disk for disk in disks if _is_meant(disk, wanted)]
    name = wanted.serial or wanted.wwn
    if not found:
        here = ", ".join(str(disk) for disk in disks) or "no disk at all"
        raise StepFailed("disk-missing", f"no disk with the serial number or WWN {name} is here; there is {here}")
    if len(found) > 1:
        same = ", ".join(disk.name for disk in found)
        raise StepFailed("disk-ambiguous", f"{same} all call themselves {name}; none of them is touched")
    return _checked(found[0], wanted)


def _is_meant(disk: Disk, wanted: Wanted) -> bool:
    serial_fits = not wanted.serial or disk.serial == wanted.serial
    wwn_fits = not wanted.wwn or disk.wwn == wanted.wwn
    return serial_fits and wwn_fits


def _checked(disk: Disk, wanted: Wanted) -> Disk:
    if wanted.size is not None and wanted.size != disk.size:
        raise StepFailed("disk-changed", f"disk {disk} should have {wanted.size} bytes; it is another disk")
    return disk


def must_be_writable(disk: Disk) -> None:
    """Raises StepFailed for a write-protected disk."""
    if disk.read_only:
        raise StepFailed("disk-read-only", f"disk {disk} is write-protected")


def must_fit(disk: Disk, image_size: int, image_sector_size: int) -> None:
    """Raises StepFailed when an image of `image_size` bytes cannot live on this disk.

    A partition table counts in sectors: one made for 512-byte sectors means nothing on a disk with others.
    """
    if disk.sector_size != image_sector_size:
        raise StepFailed(
            "sector-size",
            f"the image is made for sectors of {image_sector_size} bytes, disk {disk} has {disk.sector_size}",
        )
    if disk.size < image_size:
        raise StepFailed("disk-too-small", f"the image needs {image_size} bytes, disk {disk} has only {disk.size}")
