"""Boot programs: Debian's iPXE, shim and signed GRUB, and a network GRUB for BIOS machines that boot a local disk."""

import json
import shlex
import time
from pathlib import Path

from . import cache, mmdebstrap
from .progress import phase

RECIPE = cache.SOURCE / "programs"
PACKAGES = ("base-files", "ipxe", "grub-pc-bin", "grub-common", "tar", "shim-signed", "grub-efi-amd64-signed")
INSIDE = "/qrm-build"
# Our names for files of the package. It has no SNP-only build for arm64; the full one drives SNP as well.
IPXE = {
    "undionly.kpxe": "undionly.kpxe",
    "ipxe.pxe": "ipxe.pxe",
    "ipxe.efi": "ipxe.efi",
    "snponly.efi": "snponly.efi",
    "snponly-arm64.efi": "ipxe-arm64.efi",
}
# For Secure Boot: shim bears Microsoft's signature, and loads the file `grubx64.efi` from where it came from itself.
SIGNED = {
    "shimx64.efi": "/usr/lib/shim/shimx64.efi.signed",
    "grubx64.efi": "/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed",
    "mmx64.efi": "/usr/lib/shim/mmx64.efi.signed",
}
NETWORK_GRUB = "grub-i386-pc.pxe"
GRUB_MODULES = (
    "memdisk tar pxe tftp http net biosdisk part_gpt part_msdos ext2 xfs btrfs fat lvm mdraid1x search search_fs_uuid "
    "search_fs_file search_label configfile normal chain drivemap regexp test true echo sleep reboot halt linux "
    "ls cat minicmd serial terminal"
)


def name() -> str:
    """Key of everything that goes into the boot programs."""
    inputs = cache.inputs(("programs", "mmdebstrap"), RECIPE)
    return cache.key({**inputs, "sources": mmdebstrap.sources().encode()})


def build(directory: Path) -> Path:
    """The directory of boot programs in the cache `directory`, with `boot.json`. Raises BuildError."""
    archives = directory / "debs-programs"
    return cache.kept(directory, "programs", name(), lambda into, scratch: _build(into, scratch, archives))


def _build(into: Path, scratch: Path, archives: Path) -> None:
    with phase("programs", f"unpacking packages, making the network GRUB ({mmdebstrap.SUITE})"):
        mmdebstrap.make(mmdebstrap.Recipe("extract", PACKAGES, hooks(into)), archives, scratch)
    packages = mmdebstrap.versions(archives, ("ipxe", "grub-pc-bin", "shim-signed", "grub-efi-amd64-signed"))
    files = {path.name: path.stat().st_size for path in sorted(into.iterdir())}
    description = {"built": int(time.time()), "packages": packages, "files": files}
    (into / "boot.json").write_text(json.dumps(description, indent=1) + "\n")


def hooks(into: Path) -> list[str]:
    """What happens to the unpacked tree: make GRUB's image, bring the programs out to `into`."""
    out = shlex.quote(str(into))
    return [
        f'mkdir -p "$1"{INSIDE}/memory/grub',
        f"copy-in {shlex.quote(str(RECIPE))} {INSIDE}",
        f'cp "$1"{INSIDE}/programs/grub.cfg "$1"{INSIDE}/memory/grub/',
        f'chroot "$1" tar --format=ustar -C {INSIDE}/memory -cf {INSIDE}/memory.tar grub',
        f'chroot "$1" grub-mkimage -O i386-pc-pxe -o {INSIDE}/{NETWORK_GRUB} -p "(memdisk)/grub" '
        f"-m {INSIDE}/memory.tar -c {INSIDE}/programs/early.cfg {GRUB_MODULES}",
        f"download {INSIDE}/{NETWORK_GRUB} {out}/{NETWORK_GRUB}",
        *(f"download /usr/lib/ipxe/{theirs} {out}/{ours}" for ours, theirs in IPXE.items()),
        *(f"download {theirs} {out}/{ours}" for ours, theirs in SIGNED.items()),
    ]
