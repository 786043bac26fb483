"""GRUB for the disk of an image: for BIOS in one file with all its modules, for UEFI as Debian signs it, with shim."""

import shlex
from pathlib import Path

from appliance.bootdisk import loaders

from . import cache, mmdebstrap
from .progress import phase

PACKAGES = ("base-files", *loaders.PACKAGES)
INSIDE = "/qrm-build"


def build(directory: Path) -> Path:
    """A directory with `boot.img`, `core.img` (BIOS), and loaders.SIGNED (UEFI), in the cache `directory`."""
    inputs = cache.inputs(("grub_images", "mmdebstrap"))
    name = cache.key({**inputs, **cache.common("bootdisk"), "sources": mmdebstrap.sources().encode()})
    archives = directory / "debs-grub"
    return cache.kept(directory, "grub", name, lambda into, scratch: _build(into, scratch, archives))


def _build(into: Path, scratch: Path, archives: Path) -> None:
    with phase("grub", f"unpacking packages, making boot loaders ({mmdebstrap.SUITE})"):
        mmdebstrap.make(mmdebstrap.Recipe("extract", PACKAGES, hooks(into)), archives, scratch)


def hooks(into: Path) -> list[str]:
    """What happens to the unpacked tree: make the image for BIOS, bring all out to `into`."""
    out = shlex.quote(str(into))
    return [
        f'mkdir "$1"{INSIDE}',
        f'chroot "$1" {shlex.join(loaders.bios_core(f"{INSIDE}/core.img"))}',
        f"download {INSIDE}/core.img {out}/core.img",
        *(f"download {theirs} {out}/{ours}" for ours, theirs in loaders.SIGNED.items()),
        f"download {loaders.BOOT_SECTOR} {out}/boot.img",
    ]
