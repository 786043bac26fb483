"""Makes a whole disk of a tree that mmdebstrap left: a root file system, an ESP and boot loaders, packed into one file.

Nothing is mounted, and no loop device is needed: mke2fs reads the archive, mtools write the ESP, and the disk itself is
never anywhere but on its way into the packer.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from appliance import command
from appliance.bootdisk import fat, layout, loaders
from appliance.bootdisk.gpt import SECTOR
from appliance.bootdisk.layout import Part
from appliance.filesystem.make import Order, Told, make
from appliance.filesystem.stored import Stored
from appliance.recipes.bootable import Identity
from appliance.recipes.order import TREE

ROOT, ESP, UEFI_CONFIG = "root.ext4", "esp.img", "efi-grub.cfg"
"""Names in the place where it is made."""
SHORT = 60.0
"""Seconds, more than enough for each program that writes the ESP."""
STEP = 1 << 20
"""Bytes that are read at once."""


async def root(place: Path, size: int, identity: Identity, room: Callable[[Path, int], None], told: Told) -> None:
    """Fill ``place/ROOT`` with ``place/TREE``, which has ``size`` bytes. Raises as ``filesystem.make``."""
    tree = Stored(place / TREE, "tar", size)
    await make(Order(tree, "", place / ROOT, str(identity.key)), room, told)


def esp(place: Path, identity: Identity, vendor: str) -> None:
    """Make ``place/ESP`` with the loaders beside it, of that vendor; blocks. Raises as ``command.run``."""
    (place / UEFI_CONFIG).write_text(loaders.UEFI_CONFIG)
    size = layout.ESP_SIZE * SECTOR
    with (place / ESP).open("wb") as file:
        file.truncate(size)
    files = loaders.on_esp(vendor, str(place / UEFI_CONFIG), str(place))
    for words in fat.filled(str(place / ESP), size, "ESP", identity.esp, files):
        command.run(words, SHORT)


def laid_out(place: Path, identity: Identity) -> tuple[list[Part], int]:
    """What lies where on the disk, and its size in bytes; raises ValueError for a boot loader that has no room."""
    disk = layout.server((place / ROOT).stat().st_size, identity.of)
    boot, core = (place / "boot.img").read_bytes(), (place / "core.img").read_bytes()
    return layout.parts(disk, boot, core, {"esp": place / ESP, "root": place / ROOT}), disk.sectors * SECTOR


def packed(target: Path, size: int) -> list[str]:
    """The words that pack a disk of ``size`` bytes, which they read."""
    return ["zstd", "-q", "-f", "-T4", "-3", f"--stream-size={size}", "-o", str(target)]


def pieces(parts: list[Part], size: int) -> Iterator[bytes]:
    """The disk from its begin to its end."""
    at = 0
    for part in parts:
        yield from _zeros(part.sector * SECTOR - at)
        at = part.sector * SECTOR
        for piece in _content(part):
            at += len(piece)
            yield piece
    yield from _zeros(size - at)


def _content(part: Part) -> Iterator[bytes]:
    if isinstance(part.content, bytes):
        yield part.content
        return
    with part.content.open("rb") as file:
        while piece := file.read(STEP):
            yield piece


def _zeros(count: int) -> Iterator[bytes]:
    for at in range(0, count, STEP):
        yield bytes(min(STEP, count - at))
