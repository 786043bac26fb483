"""The content of an image as a tar archive that is read from begin to end, whatever it is stored as."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from appliance.command import streamed
from appliance.errors import Conflict
from appliance.imageformat.recognise import GZIP, XZ, ZSTD, Told
from appliance.imageformat.unpacking import Gzip, Limited, Readable, Xz

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
    """``tar`` or ``squashfs``."""
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
        head = file.read(8)
        file.seek(0)
        match of.format:
            case "squashfs":
                with streamed([*limits(0), *UNSQUASH, str(of.path)], SECONDS) as output:
                    yield _limited(output, of, told)
            case "tar" if head.startswith(ZSTD) or int.from_bytes(head[:4], "little") & ~0xF == 0x184D2A50:
                with streamed([*limits(0), *UNZSTD, str(of.path)], SECONDS) as output:
                    yield _limited(output, of, told)
            case "tar":
                unpacked = Gzip(file) if head.startswith(GZIP) else Xz(file) if head.startswith(XZ) else file
                yield _limited(unpacked, of, told)
            case _:
                text = f"it is a whole disk ({of.format}), and no root file system is made of that"
                raise Conflict("image-not-deployable", text, "choose an image of format tar or squashfs", "image")


def _limited(stream: Readable, of: Stored, told: Told) -> Limited:
    return Limited(stream, of.size, told)
