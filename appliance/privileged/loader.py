"""Brings the boot loaders on the disk to those of the system that runs, by the plans of ``updates/fat`` and its sister.

They are of no slot: both systems are started by them, so that they change only once a new version proved good. Every
stage is on the disk, and read back from it, before the one write that decides.
"""

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from appliance.errors import ApplianceError, Conflict
from appliance.privileged.boot_notes import notes_at_rest
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.trial import installing
from appliance.privileged.verbs.loader import Renew
from appliance.updates import bios_loader
from appliance.updates.bios_loader import SECTOR
from appliance.updates.fat import Fat, Stage, exchange

FILES = "qrm/boot"
"""Below ``/usr/share``: the boot loaders that came with the system that runs."""
PLACES = {
    "EFI/BOOT/BOOTX64.EFI": "shimx64.efi",
    "EFI/BOOT/grubx64.efi": "grubx64.efi",
    "EFI/BOOT/mmx64.efi": "mmx64.efi",
    "EFI/debian/grub.cfg": "efi-grub.cfg",
    "qrm/grub.cfg": "grub.cfg",
}
"""On the ESP, and which file belongs there. What is in one directory changes at once, from top to bottom."""
BIOS_PARTITION = "1"
MOUNTS = ("boot-efi.automount", "boot-efi.mount")


@dataclass(frozen=True, slots=True)
class Device:
    """A disk or partition that is open."""

    descriptor: int
    name: str

    def read(self, offset: int, size: int) -> bytes:
        """What is on it. Raises ApplianceError ``loader-device`` where it ends before."""
        data = os.pread(self.descriptor, size, offset)
        if len(data) != size:
            raise ApplianceError("loader-device", f"{self.name} ends before byte {offset + size}")
        return data

    def put(self, stage: Stage) -> None:
        """Have a stage on the disk. Raises ApplianceError ``loader-device`` where something else is read back."""
        for write in stage:
            os.pwrite(self.descriptor, write.data, write.offset)
        os.fsync(self.descriptor)
        os.posix_fadvise(self.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)  # so that it is the disk that is read
        for write in stage:
            if self.read(write.offset, len(write.data)) != write.data:
                hint = "the boot loaders in use were not touched; look at the disk"
                raise ApplianceError("loader-device", f"{self.name} does not hold what was written", hint)


@contextmanager
def _opened(path: Path) -> Iterator[Device]:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield Device(descriptor, path.name)
    finally:
        os.close(descriptor)


async def renew(verb: Renew, on: Computer, tell: Tell) -> list[str]:
    """Raises Conflict ``update-busy``; ApplianceError ``loader-missing``, ``-device``, ``-esp``, ``-no-room``."""
    if await installing(on):
        raise Conflict("update-busy", "an update is being written", "wait until it is")
    files = on.roots.share / FILES
    partition = (on.roots.dev / "disk/qrm/esp").resolve()
    try:
        wanted = {place: (files / name).read_bytes() for place, name in PLACES.items()}
        boot, core = (files / "boot.img").read_bytes(), (files / "core.img").read_bytes()
        tell(None, "comparing the boot loaders")
        async with _at_rest(on):
            with _opened(partition) as device:
                done = renew_esp(device, wanted)
        disk, start, size = _bios(on, partition.name)
        with _opened(disk) as device:
            done += renew_bios(device, boot, core, start, size)
    except OSError as error:
        text = f"the boot loaders were not compared: {error.filename}: {error.strerror}"
        raise ApplianceError("loader-missing", text, "those in use stay as they are") from error
    return done


@asynccontextmanager
async def _at_rest(on: Computer) -> AsyncIterator[None]:
    """The ESP, not mounted meanwhile. Raises Conflict ``update-busy`` where notes are written to it."""
    with notes_at_rest(on):
        try:
            await on.run(["systemctl", "stop", *MOUNTS])
            yield
        finally:  # a mount that is busy fails the stop, and the automount that was to follow it is gone already
            await on.run(["systemctl", "start", MOUNTS[0]])


def renew_esp(device: Device, wanted: Mapping[str, bytes]) -> list[str]:
    """Exchange the files that differ, a directory at a time. Which ones those were."""
    done: list[str] = []
    for _, paths in groupby(wanted, key=lambda path: path.rpartition("/")[0]):
        fat = Fat.of(device.read)
        table = fat.table()
        differ = [path for path in paths if fat.content(fat.find(path, table), table) != wanted[path]]
        if differ:
            planned = exchange(fat, {path: wanted[path] for path in differ})
            for stage in (*planned.prepare, planned.decide, *planned.tidy):
                device.put(stage)
            done += differ
    return done


def renew_bios(device: Device, boot: bytes, core: bytes, start: int, size: int) -> list[str]:
    """Exchange what BIOS starts, where it differs; ``start`` and ``size`` are the BIOS boot partition's, in sectors."""
    first = device.read(0, SECTOR)
    at = bios_loader.core_sector(first)
    if start <= at < start + size:
        length = min(-(-len(core) // SECTOR), start + size - at) * SECTOR
        if bios_loader.same(first, device.read(at * SECTOR, length), boot, core):
            return []
    for stage in bios_loader.exchange(first, boot, core, start, size):
        device.put(stage)
    return ["GRUB for BIOS"]


def _bios(on: Computer, partition: str) -> tuple[Path, int, int]:
    """The disk of a partition, and start and size of its BIOS boot partition, in sectors of 512 bytes (sysfs)."""
    disk = (on.roots.sys / "class/block" / partition).resolve().parent
    for each in sorted(disk.iterdir()):
        if (each / "partition").is_file() and (each / "partition").read_text().strip() == BIOS_PARTITION:
            start, size = (int((each / name).read_text()) for name in ("start", "size"))
            return on.roots.dev / disk.name, start, size
    raise ApplianceError("loader-missing", f"{disk.name} has no BIOS boot partition", "its boot loaders stay")
