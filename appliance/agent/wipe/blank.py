"""Making a disk read as zeros from outside: by telling it what is not needed, or by sending zeros."""

import errno

from ..disk.content import EDGE
from .drive import Drive, is_gone
from .methods import Method
from .minder import Minder
from .passthrough import Refused, Unknown

PIECE = 1 << 30
"""Bytes in one call, so that there is progress to tell."""


def blank(drive: Drive, method: Method, minder: Minder) -> None:
    """Discard or overwrite everything. Its first MiB comes last: the mark in it says that a wipe has begun.

    Raises Refused for what the disk does not do, Abandoned, OSError.
    """
    size = drive.disk.size
    edge = min(EDGE, size)
    for at in [*range(edge, size, PIECE), 0]:
        length = edge if at == 0 else min(PIECE, size - at)
        _blank(drive, method, at, length)
        minder.tell(1.0 if at == 0 else (at + length) / size, WORDS[method])
    drive.forget_cache()


WORDS = {
    Method.SECURE_DISCARD: "discarding, copies too",
    Method.DISCARD: "discarding",
    Method.OVERWRITE: "writing zeros",
}


def _blank(drive: Drive, method: Method, at: int, size: int) -> None:
    if method is Method.OVERWRITE:
        _overwrite(drive, at, size)
        return
    try:
        drive.discard(at, size, secure=method is Method.SECURE_DISCARD)
        if drive.limits().write_zeroes_max_bytes:
            drive.zero_by_itself(at, size)
    except OSError as error:
        if is_gone(error):
            raise
        kind = Unknown if error.errno in (errno.EOPNOTSUPP, errno.ENOTTY) else Refused
        raise kind(f"the disk does not do it at byte {at}: {error.strerror}") from error


def _overwrite(drive: Drive, at: int, size: int) -> None:
    try:
        drive.write_zeros(at, size)
    except OSError as error:
        if is_gone(error) or error.errno not in (errno.EIO, errno.EREMOTEIO, errno.ENOSPC, errno.EROFS):
            raise
        raise Refused(f"the disk takes no zeros between byte {at} and {at + size}: {error.strerror}") from error


def clear_ends(drive: Drive) -> None:
    """Zero both ends of a disk that erased itself to something else: whoever looks at it next sees an empty one."""
    size = drive.disk.size
    edge = min(EDGE, size)
    drive.write_zeros(0, edge)
    drive.write_zeros(size - edge, edge)
    drive.forget_cache()
