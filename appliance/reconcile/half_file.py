"""A file that is half here: its bytes so far in a file of the state directory, and which file it is to become.

The file grows at its end only, and its length is how much is here: so it may end anywhere, with the daemon or without.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from appliance.decoding import decoded
from appliance.errors import ApplianceError, Invalid
from appliance.half_upload import (
    KEPT_SECONDS,
    Half,
    Identity,
    Piece,
    another,
    check_piece,
    check_turn,
    merged,
    removed,
    same,
    taken_over,
)
from appliance.intake import Wish
from appliance.on_disk import put
from appliance.reconcile.disk_room import check_room

SILENT_SECONDS = 60.0
"""Without a byte for so long a piece is over: its line is dead, and who sent it sends it again."""
SYNC_EVERY = 32 << 20
"""Bytes of a long piece between two times that it is brought to disk."""


class HalfFile:
    """One file on its way; methods that are no coroutines block."""

    what = "another file"
    """What is said to be half here, to who brings a different one."""

    def __init__(self, about: Path, part: Path, pledged: Callable[[], int] = int) -> None:
        """``about`` is its note, ``part`` are its bytes, ``pledged`` says how many more bytes others were promised."""
        self._about, self._part, self._pledged = about, part, pledged
        self._latest: object = None
        """The piece that may write; any other one that is still on its way is over."""
        self._moved: float | None = None
        """When this process stored a byte of it, by a clock that nobody sets."""

    def found(self) -> tuple[Half, int] | None:
        """The upload that was begun, and how many bytes of it are here."""
        half = read_note(self._about)
        if half is None:
            return None
        place = self.place()
        return half, _size(place) if place else 0

    def place(self) -> Path | None:
        """Where its bytes are; None: there are none yet."""
        return self._part if self._part.exists() else None

    def begin(
        self, of: Identity, by: str, now: float, *, replace: bool, becomes: Wish | None = None
    ) -> tuple[Half, int, bool]:
        """Begin an upload or go on with it, in a turn of its own; how much is here, and whether it is a new one.

        ``of`` is as ``check_identity`` gives it. Raises Conflict ``upload-other`` where another file is half here,
        unless that is to be replaced; ApplianceError ``upload-failed`` without room.
        """
        known = self.found()
        if known is not None and not same(known[0].of, of):
            if not replace:
                raise another(*known, of, self.what)
            known = None
        with self._storing():
            return self._begun(known[0] if known else None, of, by, now, becomes)

    def _begun(
        self, known: Half | None, of: Identity, by: str, now: float, becomes: Wish | None
    ) -> tuple[Half, int, bool]:
        self._about.parent.mkdir(mode=0o700, exist_ok=True)
        if known is None:
            self.forget()
            half = Half(of, os.urandom(8).hex(), by, now, becomes)
        else:
            self._back()
            half = Half(merged(known.of, of), os.urandom(8).hex(), by, known.begun, becomes)
        received = self._open_part(of)
        self._latest = object()  # whoever still sends was overtaken
        put(self._about, msgspec.json.encode(half))
        return half, received, known is None

    def _back(self) -> None:
        """Bytes that were put elsewhere, to be looked at when the daemon ended, come back. Here there are none."""

    def _open_part(self, of: Identity) -> int:
        descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            received = os.fstat(descriptor).st_size
            check_room(descriptor, of.size - received - self._given(received) + self._pledged())
            os.utime(descriptor)
        finally:
            os.close(descriptor)
        return received

    def _given(self, received: int) -> int:
        """Bytes that become free once more than the ``received`` ones come."""
        return 0

    def _first_byte(self) -> None:
        """Bytes come: what they take the place of may go."""

    async def take(self, turn: str, piece: Piece, chunks: AsyncIterator[bytes]) -> tuple[Half, int]:
        """Store a piece; the upload, and how many bytes are here now. What came of a piece that was cut off is kept.

        Raises Conflict as ``check_piece`` and ``check_turn``; Invalid ``upload-cut-off`` and ``piece-length``;
        ApplianceError ``upload-failed``, and what ``chunks`` raises.
        """
        known = await asyncio.to_thread(self.found)
        half, received = check_turn(known and known[0], turn), known[1] if known else 0
        check_piece(piece, half, received)
        mine = self._latest = object()
        with self._storing():
            descriptor = os.open(self._part, os.O_WRONLY | os.O_NOFOLLOW)
            try:
                return half, await self._write(descriptor, piece, chunks, mine)
            finally:
                await asyncio.to_thread(_synced, descriptor)
                os.close(descriptor)

    async def _write(self, descriptor: int, piece: Piece, chunks: AsyncIterator[bytes], mine: object) -> int:
        at, synced = piece.first, piece.first
        while chunk := await _next(chunks):
            if self._latest is not mine:
                raise taken_over() if self._latest is not None else removed()
            if at + len(chunk) > piece.last + 1:
                text = f"more came than the {piece.length} bytes that the piece was to have"
                raise Invalid("piece-length", text, "let Content-Range say what is sent", "Content-Range")
            if at == 0:
                await asyncio.to_thread(self._first_byte)
            await asyncio.to_thread(_write_at, descriptor, chunk, at)
            self._moved = time.monotonic()
            at += len(chunk)
            if at - synced >= SYNC_EVERY:
                await asyncio.to_thread(os.fsync, descriptor)
                synced = at
        if at <= piece.last:
            raise cut_off()
        return at

    def check_turn(self, turn: str) -> None:
        """Raise Conflict as ``check_turn`` does, where somebody else began it meanwhile, or it was removed."""
        known = self.found()
        check_turn(known and known[0], turn)

    def check_digest(self, half: Half) -> None:
        """Raise Invalid ``upload-differs``, and remove it, where what came is not the file that was announced."""
        if not half.of.sha256:
            return
        with self._storing(), self._part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        self.compare(half, found)

    def compare(self, half: Half, sha256: str) -> None:
        """As ``check_digest``, where the digest of what is here is known."""
        if half.of.sha256 in ("", sha256):
            return
        self.forget()
        text = f"what came is not {half.of.name}: its SHA-256 is {sha256}, and {half.of.sha256} was announced"
        hint = "the file changed meanwhile, or another one was sent; it is removed here: upload it from its beginning"
        raise Invalid("upload-differs", text, hint, "sha256")

    def done(self) -> None:
        """It is what it was to become, and no upload any more."""
        self._about.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove it; whoever still sends is told. Raises ApplianceError ``upload-failed``."""
        self._latest = None
        with storing():
            self._part.unlink(missing_ok=True)  # first: nothing would find it without the other
            self._about.unlink(missing_ok=True)

    def outlived(self, now: float) -> tuple[Half, int] | None:
        """Remove the upload with all that is here of it, where nobody went on with it for a day; which one it was."""
        known = self.found()
        if known is None or (self._moved is not None and time.monotonic() - self._moved < KEPT_SECONDS):
            return None  # the clock may have been set meanwhile
        place = self.place()
        places = (self._about, *((place,) if place else ()))
        last = max((path.stat().st_mtime for path in places if path.exists()), default=now)
        if now - last < KEPT_SECONDS:
            return None
        self.forget()
        if place is not None:
            place.unlink(missing_ok=True)  # it may be whole, and never have been looked at
        return known

    @contextmanager
    def _storing(self) -> Iterator[None]:
        """Troubles of line and disk as what users are told."""
        with storing():
            try:
                yield
            except (ConnectionError, TimeoutError) as error:
                raise cut_off() from error
            except FileNotFoundError as error:
                raise removed() from error


def read_note(path: Path) -> Half | None:
    """What stands in the note of an upload; None where there is none that can be read."""
    try:
        return decoded(path.read_bytes(), Half)
    except (OSError, msgspec.DecodeError):
        return None


@contextmanager
def storing() -> Iterator[None]:
    """Raises ApplianceError ``upload-failed`` for troubles of the disk; those of a line pass."""
    try:
        yield
    except (ConnectionError, TimeoutError):
        raise
    except OSError as error:
        message = f"the upload could not be stored: {error.strerror}"
        raise ApplianceError("upload-failed", message, "free some space, then bring it again") from error


async def _next(chunks: AsyncIterator[bytes]) -> bytes:
    async with asyncio.timeout(SILENT_SECONDS):
        return await anext(chunks, b"")


def cut_off() -> Invalid:
    """What is said of a piece that ended too early."""
    text = "the piece ended before its end; what came of it is kept"
    return Invalid("upload-cut-off", text, "ask how far the upload is, and go on there", "Content-Range")


def _write_at(descriptor: int, chunk: bytes, at: int) -> None:
    check_room(descriptor, len(chunk))
    view = memoryview(chunk)
    while view:
        written = os.pwrite(descriptor, view, at)
        view, at = view[written:], at + written


def _synced(descriptor: int) -> None:
    with suppress(OSError):  # what is not on disk after a power cut is sent once more
        os.fsync(descriptor)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
