"""GRUB for the disk of an image, both firmwares, in one file each with all its modules."""

import shlex
from pathlib import Path

from . import cache, mmdebstrap
from .progress import phase

PACKAGES = ("base-files", "grub-pc-bin", "grub-efi-amd64-bin", "grub-common")
INSIDE = "/qrm-build"
# "(,gpt3)": the third partition of whatever disk this GRUB was started from, so that a clone of the disk in
# the same machine is never mistaken for it.
PREFIX = "(,gpt3)/boot/grub"
MODULES = "part_gpt ext2 fat normal configfile linux search search_fs_uuid echo test true ls cat sleep reboot halt"
MODULES += " minicmd serial terminal gzio regexp chain"


def build(directory: Path) -> Path:
    """A directory with `boot.img`, `core.img` (BIOS) and `bootx64.efi` in the cache `directory`."""
    inputs = cache.inputs(("grub_images", "mmdebstrap"))
    name = cache.key({**inputs, "sources": mmdebstrap.sources().encode()})
    archives = directory / "debs-grub"
    return cache.kept(directory, "grub", name, lambda into, scratch: _build(into, scratch, archives))


def _build(into: Path, scratch: Path, archives: Path) -> None:
    with phase("grub", f"unpacking packages, making boot loaders ({mmdebstrap.SUITE})"):
        mmdebstrap.make(mmdebstrap.Recipe("extract", PACKAGES, hooks(into)), archives, scratch)


def hooks(into: Path) -> list[str]:
    """What happens to the unpacked tree: make both images, bring them out to `into`."""
    out = shlex.quote(str(into))
    make = f'chroot "$1" grub-mkimage -p "{PREFIX}"'
    return [
        f'mkdir "$1"{INSIDE}',
        f"{make} -O i386-pc -o {INSIDE}/core.img biosdisk {MODULES}",
        f"{make} -O x86_64-efi -o {INSIDE}/bootx64.efi efi_gop efi_uga all_video {MODULES}",
        f"download {INSIDE}/core.img {out}/core.img",
        f"download {INSIDE}/bootx64.efi {out}/bootx64.efi",
        f"download /usr/lib/grub/i386-pc/boot.img {out}/boot.img",
    ]
