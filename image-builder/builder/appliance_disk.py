"""The appliance's disk: boot loaders, seed partition, and the first of two slots for the root."""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance.bootdisk import gpt
from appliance.bootdisk.gpt import SECTOR
from appliance.bootdisk.layout import BIOS_AT, BIOS_SIZE, MEBIBYTE, Disk

from . import bmap, disk

ROOT_KIND = uuid.UUID("5f24425a-36cc-4d2a-8e4f-6c2f0e8b51d1")
"""Of both slots; as in appliance/root/usr/lib/repart.d."""
ESP_AT, ESP_SIZE = 2 * MEBIBYTE, 64 * MEBIBYTE
SEED_AT, SEED_SIZE = ESP_AT + ESP_SIZE, 16 * MEBIBYTE
ROOT_AT, ROOT_SIZE = SEED_AT + SEED_SIZE, 4096 * MEBIBYTE
TOTAL = ROOT_AT + ROOT_SIZE + MEBIBYTE
ENVIRONMENT = {"ORDER": "A B", "A_OK": "1", "A_TRY": "0", "B_OK": "0", "B_TRY": "0"}
ENVIRONMENT_SIZE = 1024
HEADER = "# GRUB Environment Block\n"


@dataclass(frozen=True)
class Identity:
    """`of` gives an identifier for "disk" and for each partition."""

    of: Callable[[str], uuid.UUID]

    def serial(self, part: str) -> str:
        """FAT's 32-bit serial number, eight hex digits."""
        return self.of(f"{part}-serial").hex[:8].upper()


def partitions(identity: Identity) -> list[gpt.Partition]:
    """The table of the image; first boot adds the second slot, the state and the rest (systemd-repart)."""
    return [
        gpt.Partition(gpt.BIOS_BOOT, identity.of("bios"), "bios", BIOS_AT, BIOS_SIZE),
        gpt.Partition(gpt.ESP, identity.of("esp"), "esp", ESP_AT, ESP_SIZE, gpt.NO_AUTOMOUNT),
        # Whoever plugs the disk into another computer finds a place for the seed file.
        gpt.Partition(gpt.BASIC_DATA, identity.of("seed"), "seed", SEED_AT, SEED_SIZE),
        gpt.Partition(ROOT_KIND, identity.of("root-a"), "root-a", ROOT_AT, ROOT_SIZE, gpt.NO_AUTOMOUNT),
    ]


def environment(values: Mapping[str, str]) -> bytes:
    """GRUB's environment block: lines, filled up with # to ENVIRONMENT_SIZE bytes."""
    lines = HEADER + "".join(f"{name}={value}\n" for name, value in values.items())
    return lines.encode().ljust(ENVIRONMENT_SIZE, b"#")


def write(scratch: Path, identity: Identity, root: Path, loaders: Path, recipe: Path, raw: Path) -> None:
    """The whole disk as the sparse file `raw`. Raises BuildError."""
    contents = {
        "esp": esp(scratch, identity, loaders, recipe),
        "seed": disk.file_system(scratch, "SEED", SEED_SIZE, identity.serial("seed"), {}),
        "root-a": root,
    }
    disk.write(Disk(TOTAL, identity.of("disk"), partitions(identity)), loaders, contents, raw)


def esp(scratch: Path, identity: Identity, loaders: Path, recipe: Path) -> Path:
    """The ESP: shim where firmware looks on a disk that it knows nothing about, GRUB beside it, and its variables."""
    # Upper case: names without a second, long entry in the directory are exchanged by writing one sector.
    block = scratch / "grubenv"
    block.write_bytes(environment(ENVIRONMENT))
    files = {
        "EFI/BOOT/BOOTX64.EFI": loaders / "shimx64.efi",
        "EFI/BOOT/GRUBX64.EFI": loaders / "grubx64.efi",
        "EFI/BOOT/MMX64.EFI": loaders / "mmx64.efi",
        "EFI/DEBIAN/GRUB.CFG": recipe / "efi-grub.cfg",
        "QRM/GRUB.CFG": recipe / "grub.cfg",
        "QRM/GRUBENV": block,
    }
    sources = {path: str(source) for path, source in files.items()}
    return disk.file_system(scratch, "ESP", ESP_SIZE, identity.serial("esp"), sources)


def mapped(raw: Path, root_bytes: int) -> str:
    """The block map of the disk: all but the empty end of the root's slot, zeros included where they mean something."""
    tail = (gpt.TABLE_SECTORS + 1) * SECTOR
    extents = [(0, ROOT_AT * SECTOR + root_bytes), (TOTAL * SECTOR - tail, tail)]
    ranges = [bmap.Range(first, last, _digest(raw, first, last)) for first, last in bmap.spans(extents)]
    draft = bmap.document(TOTAL * SECTOR, ranges)
    return bmap.document(TOTAL * SECTOR, ranges, hashlib.sha256(draft.encode()).hexdigest())


def _digest(raw: Path, first: int, last: int) -> str:
    digest = hashlib.sha256()
    with raw.open("rb") as file:
        file.seek(first * bmap.BLOCK)
        left = (last - first + 1) * bmap.BLOCK
        while left and (data := file.read(min(left, 1 << 20))):
            digest.update(data)
            left -= len(data)
    return digest.hexdigest()
