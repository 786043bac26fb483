"""A file that a volume is to be filled with: opened only where it is one, and measured."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from appliance.volume import filling_missing

BLOCK = 512
"""Bytes; what stat(2) counts in."""


def opened(path: Path) -> BinaryIO:
    """For reading, to be closed; raises NotFound ``filling-missing`` for a link, and for what is no plain file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise filling_missing(path.name) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise filling_missing(path.name)
    return os.fdopen(descriptor, "rb")


def holds(path: Path) -> tuple[int, int]:
    """Its size, and what of it is no hole, in bytes. Raises as ``opened``."""
    with opened(path) as file:
        found = os.fstat(file.fileno())
    return found.st_size, min(found.st_blocks * BLOCK, found.st_size)
