"""The update that was brought and not installed yet: one file in the state directory, and what is known of it."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from appliance.decoding import decoded
from appliance.errors import Invalid
from appliance.half_upload import Half, Identity
from appliance.on_disk import put
from appliance.reconcile.disk_room import append, check_room
from appliance.reconcile.half_file import read_note, storing
from appliance.updates.bundle import LARGEST, NAME, Bundle

DIRECTORY = "update"
ABOUT = "update.json"
PART = "update.part"
ABOUT_HALF, HALF = "upload.json", "upload.part"
"""Of an upload that comes piece by piece (``half_update``)."""


class Waiting(msgspec.Struct, frozen=True):
    """An update whose signature was found good."""

    bundle: Bundle
    size: int
    """Bytes."""
    received: float
    """Unix time."""
    of: Identity | None = None
    """The file that it was, where it came piece by piece."""


class Progress(msgspec.Struct, frozen=True):
    """How far an update is that is uploaded piece by piece."""

    half: Half
    received: int
    """Bytes that are here."""
    waiting: Waiting | None = None
    """What it is, once all is here and its signature was found good."""


class IncomingUpdate:
    """Owns ``<state_dir>/update``; the privileged helper reads there."""

    def __init__(self, state_dir: Path) -> None:
        self._directory = state_dir / DIRECTORY

    def waiting(self) -> Waiting | None:
        """What waits to be installed; blocks."""
        try:
            found = decoded((self._directory / ABOUT).read_bytes(), Waiting)
            whole = (self._directory / NAME).stat().st_size == found.size
        except (OSError, msgspec.DecodeError):
            return None
        return found if whole else None

    def there(self) -> bool:
        """Whether anything of an update is here that came in one go or whole."""
        return any((self._directory / name).exists() for name in (ABOUT, NAME))

    def half_there(self) -> bool:
        """Whether an upload was begun that comes piece by piece."""
        return (self._directory / ABOUT_HALF).exists()

    async def receive(self, chunks: AsyncIterator[bytes], expected: int) -> int:
        """Store a bundle, in place of the one before; its size in bytes. It is not waiting before it is ``known``.

        Raises Invalid ``upload-cut-off``, ``bundle-unreadable``; ApplianceError ``upload-failed``.
        """
        part = self._directory / PART
        try:
            with storing():
                await asyncio.to_thread(self._begin)
                size = await self._take(part, chunks, expected)
                part.replace(self._directory / NAME)
        except (ConnectionError, TimeoutError) as error:
            raise Invalid("upload-cut-off", "the update ended before its end", "fetch it again", "file") from error
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
                await asyncio.to_thread(append, descriptor, chunk)
            await asyncio.to_thread(os.fsync, descriptor)
        finally:
            os.close(descriptor)
        return size

    def known(self, bundle: Bundle, size: int, now: float, of: Identity | None = None) -> Waiting:
        """It was looked at and found good; blocks. Raises ApplianceError ``upload-failed``."""
        found = Waiting(bundle, size, now, of)
        with storing():
            put(self._directory / ABOUT, msgspec.json.encode(found))
        return found

    def discard(self) -> None:
        """Remove it; blocks. Raises ApplianceError ``upload-failed``."""
        with storing():
            for name in (ABOUT, NAME, PART):
                (self._directory / name).unlink(missing_ok=True)

    def sweep(self) -> list[str]:
        """Remove what a daemon that was killed left half done, and no note names; blocks. Which files those were."""
        belongs = {ABOUT, NAME} if self.waiting() is not None else set()
        if read_note(self._directory / ABOUT_HALF) is not None:
            belongs |= {ABOUT_HALF, HALF, NAME}
        with storing():
            found = sorted(path for path in self._directory.glob("*") if path.name not in belongs)
            for path in found:
                path.unlink(missing_ok=True)
        return [path.name for path in found]


def check_size(size: int) -> None:
    """Raise Invalid ``bundle-unreadable`` for what is larger than any update."""
    if size > LARGEST:
        text = f"this is no update: it has more than {LARGEST >> 30} GiB"
        raise Invalid("bundle-unreadable", text, "choose the .raucb file", "file")
