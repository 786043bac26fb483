"""Files that appear whole or not at all, and the one system call for that which Python lacks."""

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from appliance.errors import ApplianceError
from appliance.on_disk import sync

_AT_FDCWD = -100
NOREPLACE, EXCHANGE = 1, 2
"""Flags of renameat2(2)."""


def rename(old: Path, new: Path, flags: int) -> None:
    """renameat2(2): NOREPLACE fails where ``new`` is there, EXCHANGE lets the two take each other's place at once."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(old), _AT_FDCWD, os.fsencode(new), flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(old), None, str(new))


@contextmanager
def whole_file(path: Path, *, replace: bool) -> Iterator[BinaryIO]:
    """A file to write, private, which gets its name when the with-block ends well; else nothing is left of it.

    Raises ApplianceError ``file-exists`` where there is one and it is not to be replaced, and ``file-unwritable``.
    """
    part = path.with_name(path.name + ".part")
    try:
        _check_free(path, replace)
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            _give_name(part, path, replace)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        sync(path.parent)
    except OSError as error:
        hint = f"free some space on the file system of {path.parent}, or name another place"
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            hint = "name a place that you may write to"
        raise ApplianceError("file-unwritable", f"{path}: {error.strerror}", hint) from error


def _check_free(path: Path, replace: bool) -> None:
    if path.is_dir():
        raise ApplianceError("file-exists", f"{path} is a directory", "name a file")
    if path.exists() and not replace:
        raise ApplianceError("file-exists", f"{path} is there already", "name another file, or use --force")


def _give_name(part: Path, path: Path, replace: bool) -> None:
    """Somebody may have made one in the meantime."""
    if replace:
        part.replace(path)
        return
    try:
        rename(part, path, NOREPLACE)
    except FileExistsError:
        _check_free(path, replace)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS):
            raise
        _check_free(path, replace)  # a file system without the flag
        part.replace(path)
