"""Makes a root file system of an image, in a file: unprivileged, and nothing of the image is ever mounted.

Twice the content is read: once to know what it takes, once to write it. Programs that see a stranger's bytes run with
limits of the kernel, and what they have made is looked at by another program before anybody uses it.
"""

import asyncio
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance import command
from appliance.blocking import in_a_thread
from appliance.errors import ApplianceError, Conflict
from appliance.filesystem import ext4
from appliance.filesystem.stored import SECONDS, Stored, archive, limits
from appliance.imageformat.tar import FS_BLOCK, Needs, needs_of
from appliance.imageformat.unpacking import Limited

Told = Callable[[float, str], None]
"""Hears how far it is, 0 to 1, and what is done."""
ALWAYS = {"LC_ALL": "C.UTF-8", "MKE2FS_CONFIG": "/nonexistent"}
"""What programs say is in the one language that is read, and no settings of this computer change what they make."""
STEP = 4 << 20
"""Bytes that are read at once."""
LARGER = 4
"""How often it is tried with a quarter more, where the estimate was too small."""
_FULL = ("Could not allocate", "No free space", "ext2fs_new_inode", "not enough space", "Could not expand")


@dataclass(frozen=True, slots=True)
class Order:
    """A file system that is wanted."""

    image: Stored
    sha256: str
    """Of the image's file, hexadecimal: what it was when it was checked; empty: nobody else could have changed it."""
    target: Path
    """A file that is not there yet."""
    uuid: str
    least: int = 0
    """Bytes that it has at least."""


async def check_programs(image_format: str) -> None:
    """Raise ApplianceError ``program-missing``, ``mke2fs-old`` where it cannot be made here: said at once."""
    ext4.check_version(await command.heard(["mke2fs", "-V"], ALWAYS, lambda _: None))
    if image_format == "squashfs":
        await command.said(["sqfs2tar", "--version"], ALWAYS)


async def make(order: Order, room: Callable[[Path, int], None], told: Told) -> int:
    """Its size in bytes, once it is whole and on the disk. Cancelled, or failing, it leaves nothing.

    ``room`` is asked whether so many bytes may be written beside a file, and raises if not. Raises ApplianceError
    ``image-damaged``, Conflict ``filesystem-failed``, Invalid ``image-format`` and others as the image's content
    deserves, and as ``check_programs``.
    """
    await check_programs(order.image.format)
    order.target.unlink(missing_ok=True)
    try:
        if order.sha256:
            await in_a_thread(lambda stop: _check_content(order, _Share(told, 0.0, 0.1, "checking the image", stop)))
        needs = await in_a_thread(lambda stop: _needs(order.image, _Share(told, 0.1, 0.35, "counting", stop)))
        room(order.target, needs.blocks * FS_BLOCK + ext4.inodes_for(needs, 0) * ext4.INODE)
        size = await in_a_thread(lambda stop: _written(order, needs, _Share(told, 0.35, 0.95, "filling", stop)))
        told(0.95, "checking the file system")
        await _check(order.target, size)
        return size
    except BaseException:
        order.target.unlink(missing_ok=True)
        raise


class _Share:
    """A part of the whole; ends what goes on in a thread."""

    def __init__(self, told: Told, first: float, last: float, words: str, stop: threading.Event) -> None:
        self._told, self._first, self._last, self._words, self._stop = told, first, last, words, stop

    def at(self, done: int, of: int) -> None:
        """So much of so much; raises InterruptedError where nobody waits for it."""
        if self._stop.is_set():
            raise InterruptedError
        self._told(self._first + (self._last - self._first) * min(done / max(of, 1), 1.0), self._words)


def _check_content(order: Order, share: _Share) -> None:
    """Raises ApplianceError ``image-damaged`` where it is not what was stored."""
    digest, at = hashlib.sha256(), 0
    with order.image.path.open("rb") as file:
        while piece := file.read(STEP):
            digest.update(piece)
            share.at(at := at + len(piece), order.image.size)
    if digest.hexdigest() != order.sha256:
        text = f"the stored file of the image has changed by itself: its SHA-256 is {digest.hexdigest()}"
        raise ApplianceError("image-damaged", text, "look at the disk, then upload the image once more")


def _needs(image: Stored, share: _Share) -> Needs:
    with archive(image, lambda at: share.at(at, image.size * 4)) as content:
        return needs_of(content)


def _written(order: Order, needs: Needs, share: _Share) -> int:
    """The size that did."""
    size = ext4.size_for(needs, order.least)
    for _ in range(LARGER):
        try:
            _write(order, needs, size, share)
            return size
        except ApplianceError as error:
            if error.code != "program-failed":
                raise
            words = error.message.partition(f" {size // FS_BLOCK}: ")[2]
            if not any(each in words for each in _FULL):
                raise _failed(words) from error
            size = ext4.size_for(needs, size + size // 4)
    text = f"the content does not fit into {size} bytes, although it should"
    raise ApplianceError("filesystem-failed", text, "this is a defect: keep the image")


def _write(order: Order, needs: Needs, size: int, share: _Share) -> None:
    with open(os.open(order.target, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "rb") as file:
        os.truncate(file.fileno(), size)
    words = [*limits(size + STEP), *ext4.made_of_archive(str(order.target), order.uuid, needs, size)]
    with archive(order.image, lambda at: share.at(at, needs.length)) as content:
        command.fed(words, ALWAYS, _pieces(content, needs), SECONDS)


def _pieces(content: Limited, needs: Needs) -> Iterator[bytes]:
    """All of it. What was counted has to come again: a program that was ended leaves an archive that looks whole."""
    while piece := content.read(STEP):
        yield piece
    if content.at < needs.length:
        raise ApplianceError("filesystem-failed", "the image could not be read to its end again", "try it again")


async def _check(target: Path, size: int) -> None:
    """Raises ApplianceError ``filesystem-failed`` for any mistake."""
    try:
        await command.said([*limits(size), *ext4.checked(str(target))], ALWAYS, SECONDS)
    except ApplianceError as error:
        if error.code != "program-failed":
            raise
        raise _failed(error.message) from error
    await asyncio.to_thread(_settle, target)


def _settle(target: Path) -> None:
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _failed(words: str) -> ApplianceError:
    return Conflict(
        "filesystem-failed",
        f"no file system could be made of the image: {'; '.join(words.splitlines())[-400:]}",
        "pack it once more, from inside and with all its directories: tar -C ROOT --numeric-owner -c .",
    )
