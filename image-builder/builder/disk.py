"""Puts a disk together out of its parts, as a sparse file, without loop devices or mounts."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from appliance.bootdisk import fat, layout, loaders
from appliance.bootdisk.gpt import SECTOR
from appliance.bootdisk.layout import Disk, Part

from .run import run

CHUNK = 1024 * 1024


def server(scratch: Path, identify: Callable[[str], uuid.UUID], serial: str, root: Path, images: Path) -> Path:
    """The disk `scratch`/image.raw: GRUB for BIOS, an ESP with shim and GRUB as fallback loader, the root.

    `identify` as in layout.server; `serial`: of the ESP, hex; `images`: the directory of grub_images.
    """
    config = scratch / "efi-grub.cfg"
    config.write_text(loaders.UEFI_CONFIG)
    files = loaders.on_esp("debian", str(config), str(images))
    esp = file_system(scratch, "ESP", layout.ESP_SIZE, serial, files)
    raw = scratch / "image.raw"
    write(layout.server(root.stat().st_size, identify), images, {"esp": esp, "root": root}, raw)
    return raw


def write(disk: Disk, images: Path, contents: Mapping[str, Path], raw: Path) -> None:
    """The whole disk as the sparse file `raw`; `images`: a directory with GRUB's boot.img and core.img."""
    parts = layout.parts(disk, (images / "boot.img").read_bytes(), (images / "core.img").read_bytes(), contents)
    with raw.open("wb") as file:
        file.truncate(disk.sectors * SECTOR)
    place(parts, raw)


def file_system(scratch: Path, label: str, sectors: int, serial: str, files: Mapping[str, str]) -> Path:
    """A FAT file system with these files in it, path -> source. Raises BuildError."""
    made, log = scratch / f"{label}.img", scratch / "fat.log"
    with made.open("wb") as file:
        file.truncate(sectors * SECTOR)
    for words in fat.filled(str(made), sectors * SECTOR, label, serial, files):
        run(words, log)
    return made


def place(parts: Iterable[Part], raw: Path) -> None:
    """Write parts to their places, leaving holes where a file holds zeros."""
    with raw.open("r+b") as target:
        for part in parts:
            target.seek(part.sector * SECTOR)
            if isinstance(part.content, bytes):
                target.write(part.content)
                continue
            with part.content.open("rb") as source:
                while data := source.read(CHUNK):
                    if data.strip(b"\0"):
                        target.write(data)
                    else:
                        target.seek(len(data), 1)
