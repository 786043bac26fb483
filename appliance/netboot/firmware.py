"""What kind of firmware is asking, and which file it boots next (pure).

RFC 4578 (options 93, 94, 97), RFC 3004 (option 77), the UEFI specification's HTTP boot section, and
https://ipxe.org/howto/dhcpd for option 175.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Final
from uuid import UUID

from appliance import bootprogram
from appliance.netboot.dhcp.options import Code, Options, decode_encapsulated
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.ipxe import SCRIPT_QUERY


class Firmware(StrEnum):
    """What a machine's boot program can load."""

    BIOS = "bios"
    UEFI_X64 = "uefi-x64"
    UEFI_IA32 = "uefi-ia32"
    UEFI_ARM64 = "uefi-arm64"
    HTTP_X64 = "http-x64"
    HTTP_ARM64 = "http-arm64"
    UNKNOWN = "unknown"
    """Network-boots, with an architecture that we have no file for."""
    NONE = "none"
    """Does not network-boot: an operating system asks for an address."""


# IANA "Processor Architecture Types", with the names of RFC 4578's errata: 7 and 9 are both x86-64.
_ARCHITECTURES: Final = {
    0x00: Firmware.BIOS,
    0x06: Firmware.UEFI_IA32,
    0x07: Firmware.UEFI_X64,
    0x09: Firmware.UEFI_X64,
    0x0B: Firmware.UEFI_ARM64,
    0x0F: Firmware.HTTP_X64,
    0x10: Firmware.HTTP_X64,
    0x13: Firmware.HTTP_ARM64,
}
_HTTP_TO_PXE: Final = {Firmware.HTTP_X64: Firmware.UEFI_X64, Firmware.HTTP_ARM64: Firmware.UEFI_ARM64}
_PXE_TO_HTTP: Final = {pxe: http for http, pxe in _HTTP_TO_PXE.items()}

_KINDS: Final = {
    Firmware.BIOS: bootprogram.BIOS,
    Firmware.UEFI_X64: bootprogram.UEFI,
    Firmware.UEFI_ARM64: bootprogram.UEFI_ARM64,
    Firmware.HTTP_X64: bootprogram.UEFI,
    Firmware.HTTP_ARM64: bootprogram.UEFI_ARM64,
}

_HTTP_CLIENT: Final = b"HTTPClient"
_PXE_CLIENT: Final = b"PXEClient"
_IPXE_NAMES: Final = frozenset({b"iPXE", b"gPXE"})
_IPXE_FEATURES: Final = range(16, 64)
_IPXE_HTTP: Final = 19
_NO_PROXY_WAIT: Final = b"\xb0\x01\x01"
"""no-pxedhcp: we have said it all, so do not wait two seconds for a proxy DHCP server."""


@dataclass(frozen=True, slots=True)
class Client:
    """What a DHCP packet tells about the program that sent it."""

    architecture: int | None
    """Option 93: the first one that we know, else the first one."""
    firmware: Firmware
    is_pxe: bool
    is_http: bool
    is_ipxe: bool
    ipxe_has_http: bool
    uuid: UUID | None
    """SMBIOS UUID in the order that dmidecode prints; None when missing or a placeholder."""
    vendor_class: str
    """Option 60, printable ASCII only."""
    user_class: str = ""
    """Option 77, printable ASCII only."""

    @property
    def boots(self) -> bool:
        """Whether it wants a boot file, not just an address."""
        return self.is_pxe or self.is_http or self.is_ipxe


@dataclass(frozen=True, slots=True)
class BootFile:
    """What to tell a boot program: a file on our TFTP server, or a URL."""

    name: str
    next_server: IPv4Address | None = None
    """TFTP server; None where `name` is a URL and whoever loads it goes on without TFTP."""
    vendor_class: bytes = b""
    """Option 60 of the reply; empty for none."""
    ipxe: bytes = b""
    """Option 175 of the reply; empty for none."""


_TELLING: Final = frozenset((Code.VENDOR_CLASS, Code.USER_CLASS, Code.ARCHITECTURE, Code.CLIENT_UUID, Code.IPXE))
_NOBODY: Final = Client(None, Firmware.NONE, False, False, False, False, None, "")
"""Who says nothing of itself."""


def classify(options: Options) -> Client:
    """Read options 60, 77, 93, 97 and 175. Nothing is raised: what cannot be read counts as missing."""
    if _TELLING.isdisjoint(options):
        return _NOBODY
    vendor = options.get(Code.VENDOR_CLASS, b"")
    is_ipxe = Code.IPXE in options or _names_ipxe(options.get(Code.USER_CLASS, b""))
    is_http = vendor.startswith(_HTTP_CLIENT)
    architecture = _architecture(options.get(Code.ARCHITECTURE, b""), vendor)
    is_pxe = vendor.startswith(_PXE_CLIENT)
    return Client(
        architecture=architecture,
        firmware=_firmware(architecture, is_http) if is_pxe or is_http or is_ipxe else Firmware.NONE,
        is_pxe=is_pxe,
        is_http=is_http,
        is_ipxe=is_ipxe,
        ipxe_has_http=is_ipxe and _has_http(options.get(Code.IPXE, b"")),
        uuid=_uuid(options.get(Code.CLIENT_UUID, b"")),
        vendor_class=_printable(vendor),
        user_class=_printable(options.get(Code.USER_CLASS, b"")),
    )


ChooseProgram = Callable[[str, Client, Subnet], str | None]
"""(MAC address, who asks, where) -> name of the boot program to send; None to send none."""


def program_kind(firmware: Firmware) -> str:
    """As ``bootprogram`` names the kind of programs that this firmware runs; empty where there are none."""
    return _KINDS.get(firmware, "")


def first_program(_mac: str, client: Client, _subnet: Subnet) -> str | None:
    """The program that is right for nearly every machine with this firmware."""
    order = bootprogram.ORDER.get(program_kind(client.firmware))
    return order[0] if order else None


def boot_file(client: Client, subnet: Subnet, mac: str, choose: ChooseProgram = first_program) -> BootFile | None:
    """What a client loads next; None when it boots nothing, or nothing that we have.

    iPXE gets the boot script, whoever built it, so it is never told to load itself again; only one
    without HTTP gets our own build, which has it. A URL is never sent to a plain PXE client.
    """
    if not client.boots:
        return None
    if client.is_ipxe and client.ipxe_has_http:
        # What iPXE starts on BIOS, network GRUB above all, asks iPXE for the server that its own files come from.
        return BootFile(_script_url(subnet, mac), next_server=subnet.address.ip, ipxe=_NO_PROXY_WAIT)
    if client.is_http != (client.firmware in _HTTP_TO_PXE):
        return None
    name = choose(mac, client, subnet)
    if name is None:
        return None
    if client.is_http:
        return BootFile(f"{subnet.boot_url}/boot/{name}", vendor_class=_HTTP_CLIENT)
    return BootFile(name, next_server=subnet.address.ip)


def _script_url(subnet: Subnet, mac: str) -> str:
    # The MAC is ours: iPXE's ${mac} is that of whichever card it looked at last, and the one that asked is wanted.
    return f"{subnet.boot_url}/boot/script?mac={mac.replace(':', '-')}&{SCRIPT_QUERY}"


def _names_ipxe(user_class: bytes) -> bool:
    """Option 77 stands raw in iPXE's requests; RFC 3004 wants a list of length-prefixed names."""
    return user_class.rstrip(b"\0") in _IPXE_NAMES or not _IPXE_NAMES.isdisjoint(_prefixed(user_class))


def _prefixed(data: bytes) -> list[bytes]:
    """The names of a length-prefixed list; none if it does not end where its lengths say."""
    names = []
    while data:
        size, data = data[0], data[1:]
        if size > len(data):
            return []
        names.append(data[:size])
        data = data[size:]
    return names


def _has_http(encapsulated: bytes) -> bool:
    """Whether an iPXE has HTTP; one that lists no features at all is taken to have it."""
    features = [code for code in decode_encapsulated(encapsulated) if code in _IPXE_FEATURES]
    return not features or _IPXE_HTTP in features


def _architecture(option: bytes, vendor: bytes) -> int | None:
    codes = [int.from_bytes(option[at : at + 2], "big") for at in range(0, len(option) - 1, 2)]
    if not codes and (named := re.match(rb"[A-Z]{3,4}Client:Arch:(\d{1,5})", vendor)):
        codes = [int(named[1])]  # some ROMs leave option 93 out and say it here only
    return next((code for code in codes if code in _ARCHITECTURES), codes[0] if codes else None)


def _firmware(architecture: int | None, is_http: bool) -> Firmware:
    """The vendor class decides about HTTP: lists of several architectures mix both kinds."""
    if architecture is None:
        return Firmware.UNKNOWN if is_http else Firmware.BIOS  # RFC 4578 came after the first PXE ROMs
    firmware = _ARCHITECTURES.get(architecture, Firmware.UNKNOWN)
    return (_PXE_TO_HTTP if is_http else _HTTP_TO_PXE).get(firmware, firmware)


def _uuid(option: bytes) -> UUID | None:
    """Option 97: type 0 and 16 octets (RFC 4578 section 2.3), placeholders left out.

    PXE ROMs, UEFI and iPXE all send the octets of the SMBIOS table, in which the first three fields are
    little-endian.
    """
    value = option[1:]
    if len(option) != 17 or option[0] != 0 or value in (bytes(16), b"\xff" * 16):
        return None
    return UUID(bytes_le=value)


def _printable(value: bytes) -> str:
    return "".join(chr(octet) for octet in value if 0x20 <= octet < 0x7F)
