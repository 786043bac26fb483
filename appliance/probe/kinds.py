"""The kinds of firmware that a probe pretends to be. Pure.

RFC 4578 (options 60, 93, 94), IANA "Processor Architecture Types", and https://ipxe.org/howto/dhcpd for iPXE.
"""

from dataclasses import dataclass
from enum import StrEnum


class Wants(StrEnum):
    """What a boot program can do with the file that it is named."""

    NOTHING = "nothing"
    """It asks for an address only."""
    BIOS_FILE = "bios"
    EFI_FILE = "efi"
    URL = "url"
    SCRIPT = "script"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of firmware."""

    name: str
    label: str
    wants: Wants
    architecture: int | None = None
    """Option 93."""
    common: bool = True
    """Whether a network without a boot file for it is broken; others may be left out on purpose."""

    @property
    def vendor_class(self) -> bytes:
        """Option 60; empty for none."""
        if self.architecture is None:
            return b""
        client = "HTTPClient" if self.wants is Wants.URL else "PXEClient"
        return f"{client}:Arch:{self.architecture:05}:UNDI:003016".encode()


KINDS = (
    Kind("plain", "an operating system", Wants.NOTHING),
    Kind("bios", "BIOS", Wants.BIOS_FILE, 0),
    Kind("uefi-x64", "UEFI x86-64", Wants.EFI_FILE, 7),
    Kind("uefi-x64-9", "UEFI x86-64 that says 9", Wants.EFI_FILE, 9),
    Kind("http-x64", "UEFI x86-64 over HTTP", Wants.URL, 16),
    Kind("uefi-arm64", "UEFI arm64", Wants.EFI_FILE, 11, common=False),
    Kind("http-arm64", "UEFI arm64 over HTTP", Wants.URL, 19, common=False),
    Kind("ipxe", "iPXE", Wants.SCRIPT, 7),
)
BY_NAME = {kind.name: kind for kind in KINDS}
