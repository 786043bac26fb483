"""A Linux kernel for x86, as boot loaders take it (Documentation/arch/x86/boot.rst). Pure."""

import re
import struct

from appliance.errors import Invalid

HEAD = 0x20000
"""Bytes at its beginning in which all is that is asked here."""
_MAGIC, _VERSION_AT = 0x202, 0x20E
_PE_AT, _PE32_PLUS = 0x3C, 0x20B
_CERTIFICATES = 112 + 4 * 8
"""Where the optional header of PE32+ tells of its certificates (PE/COFF, Optional Header Data Directories)."""
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,79}")
"""What a kernel calls itself (``uname -r``)."""


def check(head: bytes) -> None:
    """Raise Invalid ``kernel-format`` for what is no such kernel."""
    if head[_MAGIC : _MAGIC + 4] != b"HdrS":
        raise Invalid(
            "kernel-format",
            "this is no Linux kernel for x86",
            "upload a bzImage, or in pieces (qrm kernels add) the package linux-image-VERSION",
            "vmlinuz",
        )


def release(head: bytes) -> str:
    """What it calls itself; empty where it does not say."""
    (pointer,) = struct.unpack_from("<H", head.ljust(_VERSION_AT + 2, b"\0"), _VERSION_AT)
    said = head[pointer + 0x200 : pointer + 0x200 + 200].split(b"\0")[0].split(b" ")[0] if pointer else b""
    text = said.decode("ascii", "replace")
    return text if VERSION.fullmatch(text) else ""


def is_signed(head: bytes) -> bool:
    """Whether a signature for Secure Boot is attached to it; by whom, and whether it is right, is not looked at."""
    if head[:2] != b"MZ" or len(head) < _PE_AT + 4:
        return False
    (at,) = struct.unpack_from("<I", head, _PE_AT)
    optional = head[at + 24 : at + 24 + _CERTIFICATES + 8]
    if head[at : at + 4] != b"PE\0\0" or len(optional) < _CERTIFICATES + 8:
        return False
    (kind,) = struct.unpack_from("<H", optional)
    place, size = struct.unpack_from("<II", optional, _CERTIFICATES)
    return bool(kind == _PE32_PLUS and place and size)
