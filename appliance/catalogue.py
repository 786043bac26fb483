"""Images and kernels: what machines run. Pure."""

import re
from dataclasses import dataclass
from io import SEEK_CUR, SEEK_END
from typing import BinaryIO, Final, Literal, NewType, get_args

from appliance.errors import Invalid
from appliance.machine import check_length

ImageId = NewType("ImageId", int)
KernelId = NewType("KernelId", int)
ImageFormat = Literal["raw", "raw.zst", "qcow2", "tar", "squashfs"]
FORMATS: Final[tuple[str, ...]] = get_args(ImageFormat)
"""What an image may come as; tar also packed, with gzip, xz or zstd."""
"""As stored: a disk, as it is or packed, or the files of a root file system. What comes as qcow2 is stored as raw."""


@dataclass(frozen=True, slots=True)
class Image:
    """What machines run, as stored: a disk, or a root file system."""

    id: ImageId
    name: str
    description: str
    format: ImageFormat
    size: int
    """Bytes on the machine's disk; of a root file system, those of its files."""
    stored_size: int
    """Bytes as stored and sent."""
    stored_sha256: str
    sector_size: int
    """Logical sector size, in bytes, that its partition table was written for."""
    created: float
    architecture: str = ""
    """As Debian names it (``amd64``), read from the content; empty where it cannot be told."""
    distribution: str = ""
    """As its os-release names it; empty where that cannot be told without starting it."""
    firmware: tuple[str, ...] = ()
    """What can boot the disk, as far as that shows: ``bios``, ``uefi``."""
    holds: str = ""
    """What begins the disk: ``gpt``, ``mbr``, ``iso9660``; empty: none of these, or no disk."""
    kernels: tuple[str, ...] = ()
    """Versions of those that are in it, the newest first; empty: none, or nobody has looked yet."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel with its initrd, what the hand-over initrd needs of its modules, and its default command line."""

    id: KernelId
    name: str
    version: str
    cmdline: str
    vmlinuz_sha256: str
    initrd_sha256: str | None
    created: float
    builtin: bool = False
    """True for the maintenance stack's own, which cannot be deleted."""
    vmlinuz_bytes: int = 0
    """0 where that is not known: it was added before roots on the network were."""
    modules_sha256: str | None = None
    """Of the archive with its modules that is loaded behind the hand-over initrd; None where there is none."""
    modules_bytes: int = 0
    signed: bool | None = None
    """Whether a signature for Secure Boot is attached to it; None where nobody has looked."""
    image: ImageId | None = None
    """What it was taken out of; that may be deleted by now."""
    origin: str = ""
    """The name that image had then."""


@dataclass(frozen=True, slots=True)
class KernelWords:
    """What is said of a kernel that is to be listed."""

    name: str
    version: str = ""
    """Empty: as it calls itself."""
    cmdline: str = ""
    image: ImageId | None = None
    """What it is taken out of."""
    origin: str = ""
    """What that image is called."""


DISKS = frozenset({"raw", "raw.zst"})
"""Formats of images that are written to a disk as they are."""


ROOTS = frozenset({"tar", "squashfs"})
"""Formats of images that hold the files of a root file system."""


def disk_obstacle(image: Image) -> str:
    """Why an image cannot be written to a machine's disk, in words; empty where it can."""
    if image.format not in DISKS:
        return f"it is a root file system ({image.format}), and what is written is a whole disk"
    if image.holds == "iso9660" and not image.firmware:
        return "it is a disc for drives (ISO 9660), and no disk boots it"
    return ""


LONGEST_DESCRIPTION = 1000
LONGEST_VERSION = 80
LONGEST_CMDLINE = 2000
"""Characters; a kernel for x86 takes 2048 bytes (COMMAND_LINE_SIZE)."""


def check_cmdline(text: str) -> str:
    """A kernel's command line; raises Invalid for what a kernel cannot be told in one line, and by any boot loader."""
    if not text.isprintable():
        raise Invalid("cmdline-invalid", "the command line has characters that cannot be printed", "", "cmdline")
    if left_out := next(iter(set(text.split()) - set(boot_words(text).split())), ""):
        said = f"no boot loader hands {left_out[:80]!r} on to a kernel as it is"
        raise Invalid(
            "cmdline-invalid", said, "use letters, digits and . , : / @ + = _ % - ; nothing of qrm.", "cmdline"
        )
    return check_length(text.strip(), LONGEST_CMDLINE, "cmdline")


_BOOT_WORD = re.compile(r"[A-Za-z0-9.,:/@+=_%-]+")
"""What every boot loader hands on as it is: the rest means something to iPXE or to GRUB."""
_OURS = "qrm."


def boot_words(cmdline: str) -> str:
    """What of a kernel's command line can stand in a boot script, and is not ours to say."""
    return " ".join(word for word in cmdline.split() if _BOOT_WORD.fullmatch(word) and not word.startswith(_OURS))


_ZSTD, _SKIPPABLE = 0xFD2FB528, 0x184D2A50
_RLE, _RESERVED = 1, 3


def zstd_content_size(stored: BinaryIO) -> int:
    """Decompressed bytes as the frames of a Zstandard file state them (RFC 8878 section 3.1).

    Only headers are read. Programs that compress in parallel, or several files into one, write more than one frame.
    Raises Invalid where this is no whole Zstandard file, or where a size is absent, as it is when ``zstd`` compressed
    from a pipe.
    """
    end = stored.seek(0, SEEK_END)
    stored.seek(0)
    size = 0
    while stored.tell() < end or not size:
        magic = int.from_bytes(stored.read(4), "little")
        if magic == _ZSTD:
            size += _frame(stored)
        elif magic & ~0xF == _SKIPPABLE:
            stored.seek(_number(stored, 4), SEEK_CUR)
        else:
            hint = "compress the disk image with: zstd disk.raw"
            raise Invalid("image-format", "this is not a Zstandard file", hint)
    if stored.tell() > end:
        raise _cut_off()
    return size


def _frame(stored: BinaryIO) -> int:
    """The content size of the frame whose magic number was just read; ``stored`` stands behind it afterwards."""
    descriptor = _number(stored, 1)
    single_segment = bool(descriptor & 0x20)
    stored.seek((0 if single_segment else 1) + (0, 1, 2, 4)[descriptor & 3], SEEK_CUR)
    width = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    if width == 0:
        raise Invalid(
            "image-size-unknown",
            "the Zstandard header does not say how large the disk is",
            "compress from a file, not from a pipe: zstd disk.raw",
        )
    value = _number(stored, width)
    last = False
    while not last:
        block = _number(stored, 3)
        last, kind = bool(block & 1), block >> 1 & 3
        if kind == _RESERVED:
            raise Invalid("image-format", "the Zstandard file is damaged", "compress the disk image once more")
        stored.seek(1 if kind == _RLE else block >> 3, SEEK_CUR)
    stored.seek(4 if descriptor & 4 else 0, SEEK_CUR)  # the checksum
    return value + 256 if width == 2 else value


def _number(stored: BinaryIO, width: int) -> int:
    octets = stored.read(width)
    if len(octets) < width:
        raise _cut_off()
    return int.from_bytes(octets, "little")


def _cut_off() -> Invalid:
    return Invalid("image-format", "the Zstandard file ends too early", "upload it once more, whole")


def sector_size_of(disk_head: bytes) -> int | None:
    """Logical sector size in bytes for which a GPT was written, or None without GPT (UEFI 2.10, 5.3.2)."""
    for size in (512, 4096):
        if disk_head[size : size + 8] == b"EFI PART":
            return size
    return None
