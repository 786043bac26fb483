"""The state directory: private, owned by one daemon at a time, its files written whole or not at all."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.on_disk import put


@contextmanager
def state_directory(path: Path) -> Iterator[Path]:
    """The directory, made with mode 0700 where missing, and locked for the length of the with-block.

    Raises ApplianceError ``state-unusable``, ``state-shared`` when others may write to it, or ``state-in-use`` when
    another daemon runs on it.
    """
    descriptor = _opened(path)
    try:
        _lock(descriptor, path)
        yield path
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    """A descriptor of the lock file in the directory, which is made where missing."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = path.stat().st_mode
        if mode & 0o022:
            message = f"{path}: others may write to it (mode {mode & 0o777:o})"
            raise ApplianceError("state-shared", message, f"see who did; then take it from them: chmod go-w {path}")
        return os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        hint = "make the directory and give it to the user that runs the daemon"
        raise ApplianceError("state-unusable", f"{path}: {error.strerror}", hint) from error


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        hint = "stop it first; two daemons on one state would give addresses twice"
        raise ApplianceError("state-in-use", f"another daemon runs on {path}", hint) from error
    except OSError as error:
        hint = "keep the state on a file system that has locks"
        raise ApplianceError("state-unusable", f"{path}: it cannot be locked: {error.strerror}", hint) from error


def key_files(path: Path) -> list[Path]:
    """The files in the state directory that cannot be made again: keys, each with its certificate, by name.

    Every one of them is called ``*.pem``; ``ca.pem`` is made from ``authority.pem`` at each start.
    """
    return sorted(each for each in path.glob("*.pem") if each.name != "ca.pem" and each.is_file())


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What fails in the with-block failed for ``path``: raises ApplianceError ``state-unwritable`` for an OSError."""
    try:
        yield
    except OSError as error:
        hint = "make it writable for the user that runs the daemon"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = f"free some space on the file system of {path.parent}"
        raise ApplianceError("state-unwritable", f"{path}: {error.strerror or error}", hint) from error


def write_whole(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file whole or not at all; file and name are on disk when this returns.

    Raises ApplianceError ``state-unwritable``.
    """
    with writing(path):
        put(path, content, mode)


def keep_public(path: Path, content: bytes) -> None:
    """See to it that a file has this content and that everybody may read it; one that has it is not written again.

    A full disk must not keep the daemon from starting. Raises ApplianceError ``state-unwritable``.
    """
    if _content(path) != content:
        write_whole(path, content, 0o644)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:  # not there yet, or nothing that can be read
        return None
