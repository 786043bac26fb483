"""Puts a disk together out of its parts, as a sparse file, without loop devices or mounts."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import gpt, grub
from .gpt import SECTOR
from .run import run

MEBIBYTE = 1024 * 1024 // SECTOR
BIOS_BOOT_AT, BIOS_BOOT_SIZE = MEBIBYTE, MEBIBYTE
ESP_AT, ESP_SIZE = 2 * MEBIBYTE, 48 * MEBIBYTE
ROOT_AT = ESP_AT + ESP_SIZE
CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Layout:
    """`identify` gives an identifier for "disk" and for each part; `esp_serial`: FAT serial, hex."""

    identify: Callable[[str], uuid.UUID]
    esp_serial: str

    def partitions(self, root_sectors: int) -> list[gpt.Partition]:
        """The table; the root comes last so that it can grow."""
        return [
            gpt.Partition(gpt.BIOS_BOOT, self.identify("bios"), "bios", BIOS_BOOT_AT, BIOS_BOOT_SIZE),
            gpt.Partition(gpt.ESP, self.identify("esp"), "esp", ESP_AT, ESP_SIZE),
            gpt.Partition(gpt.LINUX_ROOT_X86_64, self.identify("root"), "root", ROOT_AT, root_sectors),
        ]


def write(scratch: Path, layout: Layout, root: Path, loaders: Path) -> Path:
    """The disk `scratch`/image.raw: GRUB for BIOS, an ESP with shim and GRUB as fallback loader, the root."""
    root_sectors = -(-root.stat().st_size // (MEBIBYTE * SECTOR)) * MEBIBYTE
    total = ROOT_AT + root_sectors + MEBIBYTE
    tables = gpt.tables(total, layout.identify("disk"), layout.partitions(root_sectors))
    core = grub.placed_core((loaders / "core.img").read_bytes(), BIOS_BOOT_AT, BIOS_BOOT_SIZE)
    mbr = grub.mbr_with_boot_code(tables.head[:SECTOR], (loaders / "boot.img").read_bytes(), BIOS_BOOT_AT)
    esp = make_esp(scratch, layout.esp_serial, loaders)
    raw = scratch / "image.raw"
    with raw.open("wb") as file:
        file.truncate(total * SECTOR)
        file.write(mbr + tables.head[SECTOR:])
        file.seek(BIOS_BOOT_AT * SECTOR)
        file.write(core)
        file.seek(tables.tail_sector * SECTOR)
        file.write(tables.tail)
    place(esp, raw, ESP_AT)
    place(root, raw, ROOT_AT)
    return raw


# Debian's signed GRUB looks here for its configuration. The real one is on the third partition of whatever disk this
# GRUB was started from, so that a clone of the disk in the same machine is never mistaken for it. Debian's GRUB calls
# fw_path what is cmdpath elsewhere.
EFI_CONFIG = r"""regexp --set=1:disk '^\(([^,)]+)' "$fw_path$cmdpath"
set root="$disk,gpt3"
set prefix="($root)/boot/grub"
configfile $prefix/grub.cfg
"""


def make_esp(scratch: Path, serial: str, loaders: Path) -> Path:
    """A FAT file system with shim where firmware looks on a disk that it knows nothing about, and GRUB beside it."""
    esp, log = scratch / "esp.img", scratch / "esp.log"
    with esp.open("wb") as file:
        file.truncate(ESP_SIZE * SECTOR)
    run(["mformat", "-i", esp, "-F", "-N", serial, "-v", "ESP", "::"], log)
    config = scratch / "efi-grub.cfg"
    config.write_text(EFI_CONFIG)
    run(["mmd", "-i", esp, "::/EFI", "::/EFI/BOOT", "::/EFI/debian"], log)
    run(["mcopy", "-i", esp, loaders / "bootx64.efi", "::/EFI/BOOT/BOOTX64.EFI"], log)
    run(["mcopy", "-i", esp, loaders / "grubx64.efi", "::/EFI/BOOT/grubx64.efi"], log)
    run(["mcopy", "-i", esp, config, "::/EFI/debian/grub.cfg"], log)
    return esp


def place(part: Path, disk: Path, sector: int) -> None:
    """Copy a part to its place, leaving holes where it holds zeros."""
    with part.open("rb") as source, disk.open("r+b") as target:
        for position in range(0, part.stat().st_size, CHUNK):
            data = source.read(CHUNK)
            if data.strip(b"\0"):
                target.seek(sector * SECTOR + position)
                target.write(data)
