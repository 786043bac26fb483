"""The content of an image as a tar archive that is read from begin to end, whatever it is stored as."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from appliance.command import streamed
from appliance.errors import Conflict
from appliance.imageformat import deb
from appliance.imageformat.recognise import GZIP, XZ, ZSTD, Told
from appliance.imageformat.unpacking import Gzip, Limited, Part, Readable, Xz

SECONDS = 6 * 3600.0
MEMORY = 2 << 30
"""Bytes of address space that a program may take which reads a stranger's file."""
UNZSTD = ("zstd", "--decompress", "--stdout", "--quiet", "--memory=256MB")
UNSQUASH = ("sqfs2tar", "--root-becomes", ".")
"""With the owner and mode of the root itself."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The file of an image."""

    path: Path
    format: str
    """``tar``, ``squashfs``, or ``deb``: a package of Debian, with its files."""
    size: int
    """Bytes of the file."""


def limits(largest: int) -> list[str]:
    """Bounds of the kernel (setrlimit(2)), whatever a file makes a program do; ``largest`` file in bytes."""
    return ["prlimit", f"--as={MEMORY}", f"--fsize={largest}", "--core=0", "--nofile=64", "--"]


@contextmanager
def archive(of: Stored, told: Told = bool) -> Iterator[Limited]:
    """Its content; what is begun for that is ended with the block.

    ``told`` hears how many bytes came out by now, and may raise. Reading raises Invalid ``image-bomb``. Raises
    Conflict ``image-not-deployable`` for a disk; ApplianceError ``program-missing``; OSError.
    """
    with of.path.open("rb") as file:
        match of.format:
            case "squashfs":
                with streamed([*limits(0), *UNSQUASH, str(of.path)], SECONDS) as output:
                    yield _limited(output, of, told)
            case "tar":
                with _unpacked(file, 0, of.size) as unpacked:
                    yield _limited(unpacked, of, told)
            case "deb":
                with _unpacked(file, *deb.content_of(file)) as unpacked:
                    yield _limited(unpacked, of, told)
            case _:
                text = f"it is a whole disk ({of.format}), and no root file system is made of that"
                raise Conflict("image-not-deployable", text, "choose an image of format tar or squashfs", "image")


@contextmanager
def _unpacked(file: BinaryIO, at: int, size: int) -> Iterator[Readable]:
    """What is packed in a part of a file, as its first bytes tell."""
    file.seek(at)
    head = file.read(8)
    if head.startswith(ZSTD) or int.from_bytes(head[:4], "little") & ~0xF == 0x184D2A50:
        os.lseek(file.fileno(), at, os.SEEK_SET)  # it reads on from there by itself, past the end of the archive, too
        with streamed([*limits(0), *UNZSTD], SECONDS, file) as output:
            yield output
        return
    file.seek(at)
    part = Part(file, size)
    yield Gzip(part) if head.startswith(GZIP) else Xz(part) if head.startswith(XZ) else part


def _limited(stream: Readable, of: Stored, told: Told) -> Limited:
    return Limited(stream, of.size, told)
