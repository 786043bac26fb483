"""The mark on a disk that is being rewritten: what stood there was given up, what comes is not complete.

It stands in the first sector, written first and replaced last, in one sector: so a power cut at any moment
leaves a disk that either boots or does not even try, and the next try knows that it may go on.
"""

import re
from pathlib import Path

from . import block

SIZE = 512
_MARK = re.compile(rb"qrm: disk is being written, attempt ([!-~]{1,200})\n\0*")


def encode(attempt: str) -> bytes:
    """The first sector of a disk that `attempt` is rewriting. It has no boot signature in its last bytes."""
    text = f"qrm: disk is being written, attempt {attempt}\n".encode()
    return text.ljust(SIZE, b"\0")


def decode(sector: bytes) -> str | None:
    """The attempt that marked this disk; None when it is not marked."""
    found = _MARK.fullmatch(sector[:SIZE])
    return found.group(1).decode() if found else None


def read(device: Path) -> str | None:
    """The attempt that marked `device`, or None."""
    return decode(block.read_at(device, 0, SIZE))
