"""What makes the tree of a recipe start from a disk of its own: files, packages, and lines of hooks. Pure."""

import shlex
import uuid
from dataclasses import dataclass
from pathlib import PurePath

from appliance.bootdisk import loaders
from appliance.recipes.recipe import Recipe

LOADERS = ("boot.img", "core.img", *loaders.SIGNED)
"""Names in the place where it is made: of GRUB, and of shim."""
_CORE = "/boot/core.img"
"""In the tree, until it was taken out."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The identifiers of one disk."""

    key: uuid.UUID
    """Of the root file system; all others follow from it."""

    def of(self, part: str) -> uuid.UUID:
        """Of the disk, or of a partition."""
        return uuid.uuid5(self.key, part)

    @property
    def esp(self) -> str:
        """The serial number of the ESP's FAT, eight hexadecimal digits."""
        return self.of("esp-serial").hex[:8].upper()


def packages(recipe: Recipe) -> tuple[str, ...]:
    """What a disk has besides: the kernel, as the recipe names it, and boot loaders."""
    return (*recipe.disk, *loaders.PACKAGES)


KERNEL_LINKS = """\
# GRUB's configuration names /boot/vmlinuz and /boot/initrd.img, which follow the newest kernel.
do_symlinks = yes
link_in_boot = yes
"""


def fstab(identity: Identity) -> str:
    """fstab(5)."""
    esp = f"{identity.esp[:4]}-{identity.esp[4:]}"
    return f"UUID={identity.key} / ext4 errors=remount-ro 0 1\nUUID={esp} /boot/efi vfat noauto,umask=0077 0 0\n"


def grub_config(identity: Identity) -> str:
    """GRUB's configuration: it is never written anew, since it names links that packages of kernels move."""
    return f"""\
set timeout=2
set default=0
if serial --unit=0 --speed=115200; then
  terminal_output console serial
  terminal_input console serial
fi

menuentry 'Linux' {{{_booted(identity, "")}}}
if test -e /boot/vmlinuz.old; then
  menuentry 'Linux, the kernel before' {{{_booted(identity, ".old")}}}
fi
"""


def _booted(identity: Identity, which: str) -> str:
    return f"""
  linux /boot/vmlinuz{which} root=UUID={identity.key} ro console=tty0 console=ttyS0,115200n8
  initrd /boot/initrd.img{which}
"""


def given(identity: Identity) -> dict[str, str]:
    """Files that are laid ready in the place: name -> content."""
    return {"kernel-img.conf": KERNEL_LINKS, "fstab": fstab(identity), "grub.cfg": grub_config(identity)}


def essential_hooks(place: PurePath) -> list[str]:
    """Before the kernel is installed, whose package makes the links."""
    return [_upload(place, "kernel-img.conf", "/etc/kernel-img.conf")]


def customize_hooks(place: PurePath) -> list[str]:
    """Once all packages are there: what is to be on the disk is put into the tree, the boot loaders are taken out."""
    return [
        'mkdir -p "$1"/boot/grub "$1"/boot/efi',
        _upload(place, "fstab", "/etc/fstab"),
        _upload(place, "grub.cfg", "/boot/grub/grub.cfg"),
        f'chroot "$1" {shlex.join(loaders.bios_core(_CORE))}',
        _download(place, _CORE, "core.img"),
        _download(place, loaders.BOOT_SECTOR, "boot.img"),
        *(_download(place, where, name) for name, where in loaders.SIGNED.items()),
        f'rm "$1"{_CORE}',
    ]


def _upload(place: PurePath, name: str, inside: str) -> str:
    return f"upload {shlex.quote(str(place / name))} {inside}"


def _download(place: PurePath, inside: str, name: str) -> str:
    return f"download {inside} {shlex.quote(str(place / name))}"
