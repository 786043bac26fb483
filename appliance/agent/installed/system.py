"""Where on a written disk the system and its boot configuration are."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ..bootconfig import bls, extlinux, grub
from ..bootconfig.entry import BootEntry
from ..disk.model import Disk
from ..disk.partitions import device_of, mounted
from ..disk.volumes import Volume, read_volumes
from ..errors import StepFailed
from ..run import ProgramFailed
from .root import Root

SUBVOLUMES = ("", "root", "@", "@rootfs")
"""Where Fedora, openSUSE, Ubuntu and Debian have the root in a btrfs; "" is its default subvolume."""
BOOT_DIRECTORIES = ("/boot", "", "/root/boot", "/@/boot", "/@rootfs/boot")
READABLE = ("ext4", "ext3", "ext2", "xfs", "btrfs", "vfat")


@dataclass(frozen=True)
class System:
    """The root of an installed system; `options` are what mounting it needs besides ro or rw."""

    volume: Volume
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class BootSource:
    """`entry` stands in the boot loader's configuration on `config`, its files are on `files`."""

    config: Volume
    files: Volume
    entry: BootEntry


@contextmanager
def opened(disk: Disk, volume: Volume, options: Sequence[str] = ("ro",)) -> Iterator[Root]:
    """The file system of `volume` for as long as the context lasts. Raises ProgramFailed."""
    with device_of(disk, volume.partition) as device, mounted(device, volume.filesystem, options) as point:
        yield Root(point)


def find_system(disk: Disk) -> System:
    """The root of the system on `disk`. Raises StepFailed `no-root`."""
    candidates = [volume for volume in read_volumes(disk) if volume.is_linux]
    for volume in candidates:
        for options in _ways_to_mount(volume):
            if _has_system(disk, volume, options):
                return System(volume, options)
    if candidates:
        found = ", ".join(f"{volume.filesystem} on partition {volume.partition.number}" for volume in candidates)
        raise StepFailed("no-root", f"no file system on disk {disk} holds /etc/os-release; looked at {found}")
    raise StepFailed("no-root", f"disk {disk} has no ext4, xfs or btrfs file system that could be the root")


def _ways_to_mount(volume: Volume) -> list[tuple[str, ...]]:
    if volume.filesystem != "btrfs":
        return [()]
    return [(f"subvol={name}",) if name else () for name in SUBVOLUMES]


def _has_system(disk: Disk, volume: Volume, options: tuple[str, ...]) -> bool:
    try:
        with opened(disk, volume, ("ro", *options)) as root:
            return root.exists("/etc/os-release") or root.exists("/usr/lib/os-release")
    except ProgramFailed:  # not mountable, or no such subvolume
        return False


def find_boot(disk: Disk, system: System) -> BootSource | None:
    """How the image boots by its own configuration; None when none is understood."""
    volumes = [volume for volume in read_volumes(disk) if volume.filesystem in READABLE]
    ordered = sorted(volumes, key=lambda volume: (volume != system.volume, volume.filesystem == "vfat"))
    for volume in ordered:
        entry = _entry_on(disk, volume)
        if entry and (files := _volume_with(disk, [volume, *ordered], entry.linux)):
            return BootSource(volume, files, entry)
    return None


def _top(volume: Volume) -> tuple[str, ...]:
    """Boot loaders count from the top of a btrfs, not from its default subvolume."""
    return ("ro", "subvolid=5") if volume.filesystem == "btrfs" else ("ro",)


def _entry_on(disk: Disk, volume: Volume) -> BootEntry | None:
    try:
        with opened(disk, volume, _top(volume)) as root:
            found = (read_entry(root, directory) for directory in BOOT_DIRECTORIES)
            return next((entry for entry in found if entry), None)
    except ProgramFailed:
        return None


def _volume_with(disk: Disk, volumes: Sequence[Volume], name: str) -> Volume | None:
    for volume in volumes:
        try:
            with opened(disk, volume, _top(volume)) as root:
                if root.exists(name):
                    return volume
        except ProgramFailed:
            continue
    return None


@contextmanager
def opened_boot(disk: Disk, source: BootSource) -> Iterator[Root]:
    """The file system with the kernel of `source`."""
    with opened(disk, source.files, _top(source.files)) as root:
        yield root


def read_entry(root: Root, directory: str) -> BootEntry | None:
    """The default entry of whatever boot loader has its configuration below `directory` (`/boot`, or "")."""
    for name in ("grub", "grub2"):
        text = root.text(f"{directory}/{name}/grub.cfg")
        environment = grub.parse_grubenv(root.text(f"{directory}/{name}/grubenv"))
        entry = _bls(root, directory, environment) if "blscfg" in text else grub.default_entry(text, environment)
        if entry:
            return entry
    return _bls(root, directory, {}) or _extlinux(root, directory)


def _bls(root: Root, directory: str, environment: dict[str, str]) -> BootEntry | None:
    where = f"{directory}/loader/entries"
    names = [name for name in root.names(where) if name.endswith(".conf")]
    parsed = {name.removesuffix(".conf"): bls.parse(root.text(f"{where}/{name}"), environment) for name in names}
    entries = {name: entry for name, entry in parsed.items() if entry}
    return bls.newest(entries, environment.get("saved_entry", ""))


def _extlinux(root: Root, directory: str) -> BootEntry | None:
    names = ("extlinux/extlinux.conf", "syslinux/syslinux.cfg", "syslinux/extlinux.conf")
    entries = (extlinux.default_entry(root.text(f"{directory}/{name}")) for name in names)
    return next((entry for entry in entries if entry), None)
