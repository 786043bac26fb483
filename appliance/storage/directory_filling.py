"""How the file of a volume gets its content: nothing, shared blocks, an overlay, or a copy."""

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from appliance.command import run
from appliance.errors import ApplianceError
from appliance.imageformat import qcow2
from appliance.storage import content
from appliance.storage.directory_contents import Found
from appliance.storage.driver import Hears
from appliance.storage.folder import Folder
from appliance.storage.given import opened
from appliance.volume import Format, check_unused

PATIENCE = 120.0
"""Seconds for qemu-img, which writes headers and tables here, never content."""
FULL = "No space left on device"
"""What programs say of a full file system (strerror(3))."""


def empty(folder: Folder, name: str, size: int) -> None:
    """A hole of so many bytes. Raises OSError."""
    with _closing(folder.make(name)) as target:
        _cut_to(folder, target, size)


def share(folder: Folder, source: Found, name: str) -> bool:
    """A new file with the blocks of a volume as they are now; False, and no file, where the file system cannot.

    Raises Conflict ``volume-in-use`` for an image: what QEMU has not written yet is not in its file. OSError.
    """
    if source.record.format is Format.QCOW2:
        _check_unwritten(source)
    with _closing(folder.open(source.file, os.O_RDONLY)) as origin, _closing(folder.make(name)) as target:
        folder.step()
        if content.share(origin, target):
            os.fsync(target)
            return True
    folder.remove(name)
    return False


def copy(folder: Folder, source: Found, name: str, hears: Hears) -> None:
    """A new file with all that is in a volume; ``hears`` is told how far that is.

    Raises Conflict ``volume-in-use`` for one that is or was written meanwhile: it would not be of one instant. OSError.
    """
    _check_unwritten(source)

    def go_on(done: float) -> None:
        folder.step()
        hears(done, f"copying {source.record.name}")

    with _closing(folder.open(source.file, os.O_RDONLY)) as origin, _closing(folder.make(name)) as target:
        before = os.fstat(origin).st_mtime_ns
        content.copy(origin, target, go_on)
        os.fsync(target)
        if not source.record.read_only:
            with content.LOOKING:
                was_written = content.is_open(origin) or os.fstat(origin).st_mtime_ns != before
            check_unused(replace(source.volume, in_use=was_written))


def given(folder: Folder, source: Path, name: str, hears: Hears) -> None:
    """A new file with what a file elsewhere holds; ``hears`` is told how far that is.

    Raises NotFound ``filling-missing``, OSError.
    """

    def go_on(done: float) -> None:
        folder.step()
        hears(done, "writing what it is to hold")

    with opened(source) as file, _closing(folder.make(name)) as target:
        folder.step()
        if not content.share(file.fileno(), target):
            content.copy(file.fileno(), target, go_on)
        os.fsync(target)


def overlay(folder: Folder, source: Found, name: str, size: int) -> None:
    """An image in which nothing is written yet: it reads as the volume under it. Raises ApplianceError, OSError."""
    folder.step()
    kinds = ("-f", Format.QCOW2, "-F", source.record.format)
    _qemu_img("create", "-q", *kinds, "-b", source.file, str(folder.path / name), str(size))
    _sync(folder, name)


def fit(folder: Folder, name: str, kind: Format, size: int) -> None:
    """Bring a file to so many bytes of content, in use or not; what is added reads as zeros.

    Raises ApplianceError, OSError.
    """
    if kind is Format.RAW:
        with _writable(folder, name) as target:
            _cut_to(folder, target, size)
        return
    image = qcow2.overlay(folder.begin(name, qcow2.BEGIN) or b"")
    if image is None or image.size != size:
        folder.step()
        with _writable(folder, name):
            _qemu_img("resize", "-q", "--shrink", "-f", kind, str(folder.path / name), str(size))
        _sync(folder, name)


def protect(folder: Folder, name: str) -> None:
    """Take the right to write from all of us. Raises OSError."""
    with _closing(folder.open(name, os.O_RDONLY)) as target:
        os.fchmod(target, 0o400)
        os.fsync(target)


def _check_unwritten(source: Found) -> None:
    if not source.record.read_only:
        check_unused(source.volume)


def _cut_to(folder: Folder, target: int, size: int) -> None:
    folder.step()
    os.ftruncate(target, size)
    os.fsync(target)


def _sync(folder: Folder, name: str) -> None:
    with _closing(folder.open(name, os.O_RDONLY)) as target:
        os.fsync(target)


@contextlib.contextmanager
def _writable(folder: Folder, name: str) -> Iterator[int]:
    """For us, for a moment, also where it is protected."""
    with _closing(folder.open(name, os.O_RDONLY)) as seen:
        mode = os.fstat(seen).st_mode & 0o7777
        os.fchmod(seen, mode | 0o200)
        try:
            with _closing(folder.open(name, os.O_WRONLY)) as target:
                yield target
        finally:
            os.fchmod(seen, mode)


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _qemu_img(*arguments: str) -> None:
    try:
        run(["qemu-img", *arguments], PATIENCE)
    except ApplianceError as error:
        if error.code != "program-failed":
            raise
        raise _failed(error) from error


def _failed(error: ApplianceError) -> ApplianceError | OSError:
    """A full file system is told as the kernel tells it."""
    if FULL in error.message:
        return OSError(errno.ENOSPC, FULL)
    return ApplianceError("storage-failed", error.message, "see what the kernel says of its disk: journalctl -k")
