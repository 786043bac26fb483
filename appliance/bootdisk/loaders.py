"""GRUB on a disk: for BIOS in one file with all its modules, for UEFI as the distribution signs it, with shim. Pure."""

PACKAGES = ("grub-pc-bin", "grub-common", "shim-signed", "grub-efi-amd64-signed")
"""Of Debian and of Ubuntu, with all that is named here."""
ROOT_NUMBER = 3
"""Of the partition with the root and GRUB's configuration, in the table."""
PREFIX = f"(,gpt{ROOT_NUMBER})/boot/grub"
"""On whatever disk this GRUB was started from: a clone of it in the same machine is never mistaken for it."""
MODULES = "part_gpt ext2 fat normal configfile linux search search_fs_uuid echo test true ls cat sleep reboot halt"
MODULES += " minicmd serial terminal gzio regexp chain"
BOOT_SECTOR = "/usr/lib/grub/i386-pc/boot.img"
SIGNED = {
    "bootx64.efi": "/usr/lib/shim/shimx64.efi.signed",
    "grubx64.efi": "/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",
}
"""What it is called among loaders -> where its package has it."""
UEFI_CONFIG = rf"""regexp --set=1:disk '^\(([^,)]+)' "$fw_path$cmdpath"
set root="$disk,gpt{ROOT_NUMBER}"
set prefix="($root)/boot/grub"
configfile $prefix/grub.cfg
"""
"""Of the signed GRUB, which is told no prefix: as PREFIX. Debian's GRUB calls fw_path what is cmdpath elsewhere."""


def bios_core(target: str) -> list[str]:
    """The words that make GRUB for BIOS, which stands behind its boot sector."""
    return ["grub-mkimage", "-O", "i386-pc", "-p", PREFIX, "-o", target, "biosdisk", *MODULES.split()]


def on_esp(vendor: str, config: str, loaders: str) -> dict[str, str]:
    """Path on the ESP -> its file: shim where firmware looks on a disk that it knows nothing about, GRUB beside it.

    ``vendor``: the directory in which the signed GRUB looks for ``config``, a file with UEFI_CONFIG; ``loaders``: a
    directory with what SIGNED names.
    """
    return {
        "EFI/BOOT/BOOTX64.EFI": f"{loaders}/bootx64.efi",
        "EFI/BOOT/grubx64.efi": f"{loaders}/grubx64.efi",
        f"EFI/{vendor}/grub.cfg": config,
    }
