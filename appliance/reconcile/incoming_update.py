"""The update that was brought and not installed yet: one file in the state directory, and what is known of it."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from appliance.errors import ApplianceError, Invalid
from appliance.reconcile.imports import check_room
from appliance.updates.bundle import LARGEST, NAME, Bundle

DIRECTORY = "update"
ABOUT = "update.json"
PART = "update.part"


class Waiting(msgspec.Struct, frozen=True):
    """An update whose signature was found good."""

    bundle: Bundle
    size: int
    """Bytes."""
    received: float
    """Unix time."""


class IncomingUpdate:
    """Owns ``<state_dir>/update``; the privileged helper reads there."""

    def __init__(self, state_dir: Path) -> None:
        self._directory = state_dir / DIRECTORY

    def waiting(self) -> Waiting | None:
        """What waits to be installed; blocks."""
        try:
            found = msgspec.json.decode((self._directory / ABOUT).read_bytes(), type=Waiting)
            whole = (self._directory / NAME).stat().st_size == found.size
        except (OSError, msgspec.DecodeError):
            return None
        return found if whole else None

    async def receive(self, chunks: AsyncIterator[bytes], expected: int) -> int:
        """Store a bundle, in place of the one before; its size in bytes. It is not waiting before it is ``known``.

        Raises Invalid ``upload-cut-off``, ``bundle-unreadable``; ApplianceError ``upload-failed``.
        """
        await asyncio.to_thread(self._begin)
        part = self._directory / PART
        try:
            size = await self._take(part, chunks, expected)
            part.replace(self._directory / NAME)
        except (ConnectionError, TimeoutError) as error:
            raise Invalid("upload-cut-off", "the update ended before its end", "fetch it again", "file") from error
        except OSError as error:
            message = f"the update could not be stored: {error.strerror}"
            raise ApplianceError("upload-failed", message, "free some space, then bring it again") from error
        finally:
            part.unlink(missing_ok=True)
        return size

    def _begin(self) -> None:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        self.discard()

    async def _take(self, part: Path, chunks: AsyncIterator[bytes], expected: int) -> int:
        descriptor, size = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), 0
        try:
            check_size(expected)
            check_room(descriptor, expected)
            async for chunk in chunks:
                size += len(chunk)
                check_size(size)
                await asyncio.to_thread(_write, descriptor, chunk)
            await asyncio.to_thread(os.fsync, descriptor)
        finally:
            os.close(descriptor)
        return size

    def known(self, bundle: Bundle, size: int, now: float) -> Waiting:
        """It was looked at and found good; blocks."""
        found = Waiting(bundle, size, now)
        (self._directory / ABOUT).write_bytes(msgspec.json.encode(found))
        return found

    def discard(self) -> None:
        """Remove it; blocks."""
        for name in (ABOUT, NAME, PART):
            (self._directory / name).unlink(missing_ok=True)


def check_size(size: int) -> None:
    """Raise Invalid ``bundle-unreadable`` for what is larger than any update."""
    if size > LARGEST:
        text = f"this is no update: it has more than {LARGEST >> 30} GiB"
        raise Invalid("bundle-unreadable", text, "choose the .raucb file", "file")


def _write(descriptor: int, chunk: bytes) -> None:
    check_room(descriptor, len(chunk))
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]
