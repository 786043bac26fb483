"""Images and kernels: what machines run. Pure."""

import struct
from dataclasses import dataclass
from typing import Literal, NewType

from appliance.errors import Invalid

ImageId = NewType("ImageId", int)
KernelId = NewType("KernelId", int)
ImageFormat = Literal["raw", "raw.zst"]


@dataclass(frozen=True, slots=True)
class Image:
    """A disk that machines run, as stored."""

    id: ImageId
    name: str
    description: str
    format: ImageFormat
    size: int
    """Bytes on the machine's disk."""
    stored_size: int
    """Bytes as stored and sent."""
    stored_sha256: str
    sector_size: int
    """Logical sector size, in bytes, that its partition table was written for."""
    created: float


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel with its initrd and default command line."""

    id: KernelId
    name: str
    version: str
    cmdline: str
    vmlinuz_sha256: str
    initrd_sha256: str | None
    created: float
    builtin: bool = False
    """True for the maintenance stack's own, which cannot be deleted."""


ZSTD_MAGIC = 0xFD2FB528


def zstd_content_size(head: bytes) -> int:
    """Decompressed bytes as a Zstandard frame header states them (RFC 8878 section 3.1.1.1).

    ``head`` is the file's first 18 bytes or more. Raises Invalid where this is no Zstandard frame, or where
    the size is absent, as it is when ``zstd`` compressed from a pipe.
    """
    if len(head) < 6 or struct.unpack_from("<I", head)[0] != ZSTD_MAGIC:
        raise Invalid("image-format", "this is not a Zstandard file", "compress the disk image with: zstd disk.raw")
    descriptor = head[4]
    single_segment = bool(descriptor & 0x20)
    offset = 5 + (0 if single_segment else 1) + (0, 1, 2, 4)[descriptor & 3]
    width = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    if width == 0 or len(head) < offset + width:
        raise Invalid(
            "image-size-unknown",
            "the Zstandard header does not say how large the disk is",
            "compress from a file, not from a pipe: zstd disk.raw",
        )
    value = int.from_bytes(head[offset : offset + width], "little")
    return value + 256 if width == 2 else value


def sector_size_of(disk_head: bytes) -> int | None:
    """Logical sector size in bytes for which a GPT was written, or None without GPT (UEFI 2.10, 5.3.2)."""
    for size in (512, 4096):
        if disk_head[size : size + 8] == b"EFI PART":
            return size
    return None
