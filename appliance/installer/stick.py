"""Whether the appliance runs from the installer's stick, or from the disk that it is to stay on."""

from contextlib import suppress
from pathlib import Path

DISKS = Path("/dev/disk/qrm")
"""The partitions of the disk that root is on, by their names; udev makes them."""
SYS = Path("/sys")
COMMAND_LINE = Path("/proc/cmdline")
INSTALLING = "qrm.install=1"
"""On the kernel's command line where somebody chose to install, in the boot menu."""


def source_disk(disks: Path = DISKS, sys: Path = SYS) -> Path | None:
    """The disk that root is on; None where this is no flashed appliance."""
    with suppress(OSError):
        partition = (disks / "root-a").resolve(strict=True)
        parent = (sys / "class/block" / partition.name).resolve(strict=True).parent
        return partition.with_name(parent.name)
    return None


def is_removable(disks: Path = DISKS, sys: Path = SYS) -> bool:
    """Whether root is on a stick: the medium can be taken out, or is attached by USB (sysfs-block(5))."""
    disk = source_disk(disks, sys)
    if disk is None:
        return False
    device = sys / "class/block" / disk.name
    return _text(device / "removable") == "1" or "/usb" in str(device.resolve())


def is_installer(command_line: Path = COMMAND_LINE, disks: Path = DISKS, sys: Path = SYS) -> bool:
    """Whether what runs is there to be installed elsewhere: it was started for that, or from a stick."""
    return INSTALLING in _text(command_line).split() or is_removable(disks, sys)


def _text(path: Path) -> str:
    """What a small file holds; nothing where it is not there."""
    with suppress(OSError):
        return path.read_text(errors="replace").strip()
    return ""
