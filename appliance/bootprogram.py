"""The boot programs that firmware is sent, which of them a user may choose for a machine, and in which order they are
tried. Pure.

Firmware loads a program by TFTP or HTTP before anything of ours runs, so nobody learns why it did not start: what is
tried next is known only from the machine's asking again.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from appliance.errors import Invalid

AUTOMATIC: Final = ""
"""What a machine has that nobody chose a program for."""

UNDIONLY: Final = "undionly.kpxe"
IPXE_BIOS: Final = "ipxe.pxe"
SNPONLY: Final = "snponly.efi"
IPXE_UEFI: Final = "ipxe.efi"
SHIM: Final = "shimx64.efi"
ARM64: Final = "snponly-arm64.efi"
GRUB: Final = "grubx64.efi"
"""What shim loads, from where it came from itself: whoever fetches it has shim running."""

BIOS: Final = "bios"
UEFI: Final = "uefi"
UEFI_ARM64: Final = "uefi-arm64"


@dataclass(frozen=True, slots=True)
class Program:
    """One file that firmware can be sent."""

    name: str
    firmware: str
    """BIOS, UEFI (64-bit x86) or UEFI_ARM64: the kind that can run it."""
    text: str
    """What it is, and when it is the right one, in a sentence or two."""
    signed: bool = False
    """Whether firmware with Secure Boot runs it."""


PROGRAMS: Final = {
    each.name: each
    for each in (
        Program(UNDIONLY, BIOS, "iPXE with the network driver of the PXE ROM: right for nearly every BIOS machine"),
        Program(
            IPXE_BIOS,
            BIOS,
            "iPXE with network drivers of its own: for a PXE ROM whose driver hangs, or is too slow",
        ),
        Program(
            SNPONLY,
            UEFI,
            "iPXE with the network driver of the firmware: right for nearly every UEFI machine without Secure Boot",
        ),
        Program(
            IPXE_UEFI,
            UEFI,
            "iPXE with network drivers of its own: for firmware whose driver stops working once a program runs",
        ),
        Program(
            SHIM,
            UEFI,
            "shim and GRUB with the signatures that Secure Boot asks for; GRUB then does what iPXE does elsewhere",
            signed=True,
        ),
        Program(ARM64, UEFI_ARM64, "iPXE for 64-bit ARM, with network drivers of its own and that of the firmware"),
    )
}
"""By name."""

Choice = Literal["undionly.kpxe", "ipxe.pxe", "snponly.efi", "ipxe.efi", "shimx64.efi"]
"""What users choose from; for 64-bit ARM there is one only."""
CHOICES: Final[tuple[str, ...]] = get_args(Choice)

ORDER: Final = {BIOS: (UNDIONLY, IPXE_BIOS), UEFI: (SNPONLY, SHIM, IPXE_UEFI), UEFI_ARM64: (ARM64,)}
"""What is tried of itself, by the kind of firmware: the next one after a round in which the last did not start."""


_DISPENSABLE: Final = re.compile(
    r"grub/x86_64-efi/\w+\.lst|(.*/)?(revocations\w*|shim_certificate\w*)\.efi|grub/grub\.cfg-.*"
)


def is_dispensable(name: str) -> bool:
    """Whether shim or GRUB only looks whether this file is there, and goes on without it: no trouble to tell of."""
    return _DISPENSABLE.fullmatch(name.lstrip("/")) is not None


def check_choice(name: str, field: str = "boot_program") -> str:
    """A user's choice for a machine, AUTOMATIC for none; raises Invalid for a name that nothing has."""
    if name not in (AUTOMATIC, *CHOICES):
        hint = f"use one of {', '.join(CHOICES)}, or leave it empty to have it chosen by itself"
        raise Invalid("boot-program-unknown", f"there is no boot program {name[:80]!r}", hint, field)
    return name


def chosen(kind: str, choice: str, secure_boot: bool | None, preferred: str, failures: int) -> str | None:
    """The program for firmware of this kind; None where there is none.

    ``choice`` is the user's for the machine, ``preferred`` that for its subnet; each counts where it fits the
    firmware. ``secure_boot`` is what the machine's inventory says, None where it is not known. ``failures`` counts the
    programs that this machine fetched in a row and that did not start.
    """
    if kind not in ORDER:
        return None
    if _fits(choice, kind):
        return choice
    order = _order(kind, secure_boot, preferred)
    return order[failures % len(order)]


def _fits(name: str, kind: str) -> bool:
    return name in PROGRAMS and PROGRAMS[name].firmware == kind


def _order(kind: str, secure_boot: bool | None, preferred: str) -> tuple[str, ...]:
    order = ORDER[kind]
    if secure_boot and (signed := tuple(name for name in order if PROGRAMS[name].signed)):
        return signed
    if _fits(preferred, kind):
        return (preferred, *(name for name in order if name != preferred))
    return order
