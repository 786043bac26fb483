"""Which format a file is, from its first bytes, and then what is in it. Pure."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import BinaryIO

from appliance.catalogue import zstd_content_size
from appliance.errors import Invalid
from appliance.imageformat import disk, qcow2, squashfs, tar
from appliance.imageformat.found import HEAD, Found, unreadable
from appliance.imageformat.squashfs_tree import Unzstd
from appliance.imageformat.unpacking import Gzip, Limited, Readable, Xz

ZSTD, GZIP, XZ = b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"\xfd7zXZ\0"
_OTHERS = (
    (0, b"KDMV", "a VMDK", "qemu-img convert -f vmdk -O qcow2"),
    (0, b"# Disk DescriptorFile", "a VMDK", "qemu-img convert -f vmdk -O qcow2"),
    (0, b"vhdxfile", "a VHDX", "qemu-img convert -f vhdx -O qcow2"),
    (0, b"conectix", "a VHD", "qemu-img convert -f vpc -O qcow2"),
    (64, b"\x7f\x10\xda\xbe", "a VDI", "qemu-img convert -f vdi -O qcow2"),
    (0, b"PK\x03\x04", "a ZIP archive", "unzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x"),
    (0, b"BZh", "packed with bzip2", "bunzip2"),
    (0, b"\x04\x22\x4d\x18", "packed with lz4", "lz4 -d"),
    (0, b"\xed\xab\xee\xdb", "a package of a distribution", "make a disk image of a system"),
    (0, b"!<arch>\n", "a package of a distribution", "make a disk image of a system"),
    (0, b"\x7fELF", "a program", "choose the disk image"),
    (0, b"MZ", "a program for firmware or Windows", "choose the disk image; kernels are added as kernels"),
    (0, b"<!DOCTYPE", "a page of a web site", "look whether the address is that of the file"),
    (0, b"<html", "a page of a web site", "look whether the address is that of the file"),
)
"""Where, which bytes, what they are of, and what makes an image of it."""

Unpack = Callable[[bool], AbstractContextManager[Readable]]
"""Begins to unpack the file with the program ``zstd``; closing it ends the program. True: all of it will be read."""
Told = Callable[[int], object]


def _no_zstd(_: bytes, __: int) -> bytes:
    raise unreadable("nobody is here who unpacks Zstandard")


def recognised(
    stored: BinaryIO, stored_size: int, unpack: Unpack, told: Told = bool, unzstd: Unzstd = _no_zstd
) -> Found:
    """What a file of ``stored_size`` bytes is; raises Invalid for what can be no image, saying what it is instead.

    ``told`` hears how many bytes were unpacked by now, and may raise to end it. ``unzstd`` unpacks single blocks.
    """
    stored.seek(0)
    head = stored.read(HEAD)
    if head.startswith(qcow2.MAGIC):
        return Found("qcow2", qcow2.disk_size(stored, stored_size))
    if head.startswith(squashfs.MAGIC):
        return squashfs.found_in(stored, stored_size, unzstd)
    if is_tar(head):
        return tar.found_in(Limited(_from_start(stored), stored_size, told))
    if head.startswith((GZIP, XZ)):
        return _packed_tar(stored, Gzip if head.startswith(GZIP) else Xz, stored_size, told)
    if head.startswith(ZSTD) or _skippable(head):
        return _zstd(stored, stored_size, unpack, told)
    _check_no_other(head)
    return disk.found_in(head, stored_size)


_ASKED = {
    "raw": {"raw"},
    "raw.zst": {"zst"},
    "qcow2": {"qcow2"},
    "squashfs": {"squashfs"},
    "tar": {"tar", "packed", "zst"},
}


def check_asked(head: bytes, asked: str) -> None:
    """Raise Invalid ``image-format`` where what begins with ``head`` is not of the format that is said."""
    if asked not in _ASKED:
        known = ", ".join(_ASKED)
        raise Invalid("image-format", f"format {asked[:20]!r} is unknown", f"use one of {known}, or none", "format")
    kind = _kind(head)
    if kind not in _ASKED[asked]:
        hint = "leave the format out: it is told from the content"
        raise Invalid("image-format", f"this is not {asked}; by its first bytes it is {kind}", hint, "format")


def _kind(head: bytes) -> str:
    for kind, begins in (("qcow2", qcow2.MAGIC), ("squashfs", squashfs.MAGIC), ("packed", (GZIP, XZ)), ("zst", ZSTD)):
        if head.startswith(begins):
            return kind
    return "tar" if is_tar(head) else "zst" if _skippable(head) else "raw"


def is_tar(head: bytes) -> bool:
    """Whether these are the first bytes of a tar archive; they are no boot sector then, which ends otherwise."""
    return head[257:262] == b"ustar" and head[510:512] != b"\x55\xaa"


def is_packed(head: bytes) -> bool:
    """Whether these are the first bytes of what a tar archive is packed with: gzip, xz or Zstandard."""
    return head.startswith((GZIP, XZ, ZSTD)) or _skippable(head)


def _from_start(stored: BinaryIO) -> BinaryIO:
    stored.seek(0)
    return stored


def _skippable(head: bytes) -> bool:
    return int.from_bytes(head[:4], "little") & ~0xF == 0x184D2A50  # RFC 8878 section 3.1.2


def _packed_tar(stored: BinaryIO, unpacker: Callable[[BinaryIO], Readable], stored_size: int, told: Told) -> Found:
    first = _head(unpacker(_from_start(stored)))
    if not is_tar(first):
        text = "it is packed with gzip or xz, and holds no tar archive"
        raise unreadable(text, "unpack it, then pack the disk image with: zstd disk.raw")
    return tar.found_in(Limited(unpacker(_from_start(stored)), stored_size, told))


def _zstd(stored: BinaryIO, stored_size: int, unpack: Unpack, told: Told) -> Found:
    with unpack(False) as stream:
        head = _head(stream)
    if is_tar(head):
        with unpack(True) as stream:
            return tar.found_in(Limited(stream, stored_size, told))
    size = zstd_content_size(stored)
    if len(head) < min(size, HEAD):
        raise unreadable("this Zstandard file cannot be unpacked", "compress the disk image again: zstd disk.raw")
    return disk.found_in(head, size, "raw.zst")


def _head(stream: Readable) -> bytes:
    head = b""
    while len(head) < HEAD and (octets := stream.read(HEAD - len(head))):
        head += octets
    return head


def _check_no_other(head: bytes) -> None:
    for at, magic, what, hint in _OTHERS:
        if head[at : at + len(magic)] == magic:
            raise unreadable(f"this is no disk image but {what}", hint)
