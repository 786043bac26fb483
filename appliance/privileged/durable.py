"""Files that are whole after a power cut: written beside, synced, then renamed over the old one."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from appliance.on_disk import sync


def write(path: Path, text: str, mode: int = 0o644, group: int = -1) -> None:
    """The file has either its old or its new text, whenever power fails; when this returns, the new one.

    ``mode`` whatever the umask is; ``group`` as for chown(2). Directories above are made, for everybody to read.
    """
    make_directory(path.parent)
    beside = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        os.unlink(beside)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with open(descriptor, "wb") as file:
        os.fchown(descriptor, -1, group)
        os.fchmod(descriptor, mode)
        file.write(text.encode())
        file.flush()
        os.fsync(descriptor)
    os.replace(beside, path)
    sync(path.parent)


def remove(path: Path) -> None:
    """The file is gone for good when this returns; it need not have been there."""
    with suppress(FileNotFoundError):
        os.unlink(path)
    sync(path.parent)


def move(path: Path, to: Path) -> None:
    """Rename within one directory, in one step: there is never neither and never both."""
    os.replace(path, to)
    sync(to.parent)


def put(directory: Path, files: Mapping[str, str], prefix: str) -> None:
    """All files of a directory that begin with ``prefix`` are these; what is as it should be is not touched."""
    make_directory(directory)
    for name, text in files.items():
        if read(directory / name) != text:
            write(directory / name, text)
    for path in sorted(directory.glob(f"{prefix}*")):
        if path.name not in files:
            remove(path)


def read(path: Path) -> str | None:
    """Text of a file; None where there is none, or nothing that is text."""
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def make_directory(directory: Path) -> None:
    """With all above it, for everybody to read: the process may have a umask that says otherwise."""
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    for each in reversed(missing):
        with suppress(FileExistsError):
            os.mkdir(each)
            os.chmod(each, 0o755)  # noqa: S103 - networkd, chrony and others read theirs
            sync(each.parent)
