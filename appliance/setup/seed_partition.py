"""The seed partition: what is on it, and how its secrets leave it. Runs as root, on the appliance."""

import hashlib
import os
from pathlib import Path

from appliance import command
from appliance.errors import ApplianceError
from appliance.setup.seed import FILE, LARGEST

PIECE = 4 * 1024 * 1024
"""Bytes of the partition that are searched at once."""
REMOVED = b"removed-by-set-up"


def read(path: Path) -> str | None:
    """The text of the seed file: of ``path`` itself, or of the one on the file system that ``path`` holds.

    None where there is none. Raises ApplianceError ``seed-unreadable``.
    """
    content = _content(path)
    if content is None:
        return None
    if len(content) > LARGEST:
        raise _unreadable(path, f"it is longer than {LARGEST} bytes")
    try:
        return content.decode("utf-8-sig")  # Windows' editor puts a mark before the first letter
    except UnicodeDecodeError as error:
        raise _unreadable(path, "it is not UTF-8 text") from error


def _content(path: Path) -> bytes | None:
    try:
        if path.suffix == ".toml":
            return path.read_bytes()
        if not path.exists():
            return None
        listed = command.run(["mdir", "-b", "-i", str(path), "::"])  # mtools(1): no mount, and no kernel's file system
        names = {line.removeprefix("::/").strip().lower() for line in listed.splitlines()}
        return command.first_bytes(["mtype", "-i", str(path), f"::{FILE}"], LARGEST + 1) if FILE in names else None
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error


def _unreadable(path: Path, why: str) -> ApplianceError:
    return ApplianceError("seed-unreadable", f"the seed at {path}: {why}", "write the file anew, as UTF-8 text")


def digest(text: str) -> str:
    """By which a seed is known again."""
    return hashlib.sha256(text.encode()).hexdigest()


def without(text: str, secret: str) -> str:
    """The text after ``take_away``."""
    return text.replace(secret, _stand_in(secret.encode()).decode()) if secret else text


def _stand_in(secret: bytes) -> bytes:
    """As long as what it stands for, so that nothing around it moves."""
    return REMOVED[: len(secret)].ljust(len(secret), b"-")


def take_away(path: Path, secret: str) -> int:
    """Overwrite a secret wherever it stands on the partition, copies that no file has any more included: how often.

    A power cut leaves the file as it was, or without the secret: nothing is moved.
    """
    wanted = secret.encode()
    if not wanted:
        return 0
    found = 0
    with path.open("r+b") as partition:
        at, end = 0, partition.seek(0, os.SEEK_END)
        while at < end:  # the kernel refuses to go beyond the end of a disk, other than of a file
            partition.seek(at)
            place = partition.read(PIECE + len(wanted) - 1).find(wanted)
            if place < 0:
                at += PIECE
                continue
            partition.seek(at + place)
            partition.write(_stand_in(wanted))
            found, at = found + 1, at + place + len(wanted)
        partition.flush()
        os.fsync(partition.fileno())
    return found
