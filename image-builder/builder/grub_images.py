"""GRUB for the disk of an image: for BIOS in one file with all its modules, for UEFI as Debian signs it, with shim."""

import shlex
from pathlib import Path

from . import cache, mmdebstrap
from .progress import phase

PACKAGES = ("base-files", "grub-pc-bin", "grub-common", "shim-signed", "grub-efi-amd64-signed")
INSIDE = "/qrm-build"
# "(,gpt3)": the third partition of whatever disk this GRUB was started from, so that a clone of the disk in
# the same machine is never mistaken for it.
PREFIX = "(,gpt3)/boot/grub"
MODULES = "part_gpt ext2 fat normal configfile linux search search_fs_uuid echo test true ls cat sleep reboot halt"
MODULES += " minicmd serial terminal gzio regexp chain"
SIGNED = {
    "bootx64.efi": "/usr/lib/shim/shimx64.efi.signed",
    "grubx64.efi": "/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",
}


def build(directory: Path) -> Path:
    """A directory with `boot.img`, `core.img` (BIOS), and SIGNED (UEFI), in the cache `directory`."""
    inputs = cache.inputs(("grub_images", "mmdebstrap"))
    name = cache.key({**inputs, "sources": mmdebstrap.sources().encode()})
    archives = directory / "debs-grub"
    return cache.kept(directory, "grub", name, lambda into, scratch: _build(into, scratch, archives))


def _build(into: Path, scratch: Path, archives: Path) -> None:
    with phase("grub", f"unpacking packages, making boot loaders ({mmdebstrap.SUITE})"):
        mmdebstrap.make(mmdebstrap.Recipe("extract", PACKAGES, hooks(into)), archives, scratch)


def hooks(into: Path) -> list[str]:
    """What happens to the unpacked tree: make the image for BIOS, bring all out to `into`."""
    out = shlex.quote(str(into))
    make = f'chroot "$1" grub-mkimage -p "{PREFIX}"'
    return [
        f'mkdir "$1"{INSIDE}',
        f"{make} -O i386-pc -o {INSIDE}/core.img biosdisk {MODULES}",
        f"download {INSIDE}/core.img {out}/core.img",
        *(f"download {theirs} {out}/{ours}" for ours, theirs in SIGNED.items()),
        f"download /usr/lib/grub/i386-pc/boot.img {out}/boot.img",
    ]
