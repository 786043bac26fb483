"""Updates that are uploaded piece by piece, as users ask for it: begun, gone on with, looked at when all is here."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from appliance.accounts import Asker
from appliance.errors import Conflict, Invalid, NotFound
from appliance.half_upload import Half, Identity, Piece, check_identity, surely_same
from appliance.reconcile.incoming_update import IncomingUpdate, Progress
from appliance.reconcile.update_desk import Desk

LOOKED_AT = "an update is being looked at"


class Uploads:
    """One upload at a time; every method raises ApplianceError."""

    def __init__(self, desk: Desk, state_dir: Path) -> None:
        # Imported when it is wanted: few runs of the daemon ever see an update.
        from appliance.reconcile.half_update import HalfUpdate

        self._desk, self._incoming = desk, IncomingUpdate(state_dir)
        self._half = HalfUpdate(state_dir, self._incoming)

    async def begin(self, of: Identity, by: Asker, *, replace: bool) -> Progress:
        """Begin an upload, or go on with it in a turn of one's own. What is whole already is only looked at.

        Raises Conflict ``update-busy``, ``upload-checked`` and ``upload-other``; Invalid; ApplianceError.
        """
        of = check_identity(of)
        async with self._desk.alone():
            await self._desk.check_free()
            waiting = await asyncio.to_thread(self._incoming.waiting)
            if waiting is not None and waiting.of is not None and surely_same(waiting.of, of):
                await asyncio.to_thread(self._half.forget)
                return Progress(Half(of, "", by.name, waiting.received), of.size, waiting)
            now = self._desk.clock()
            half, received, new = await asyncio.to_thread(self._half.begin, of, by.name, now, replace=replace)
        if new:
            await self._desk.note(by, "update.upload", f"began to upload {of.name}", of.name)
        return await self._finish(half, by) if received == of.size else Progress(half, received)

    async def take(self, turn: str, piece: Piece, chunks: AsyncIterator[bytes], by: Asker) -> Progress:
        """Store a piece; with the last one the update is looked at, and waits. Raises as ``HalfUpdate.take`` does."""
        async with self._desk.alone():
            await self._desk.check_free()
        half, received = await self._half.take(turn, piece, chunks)
        return Progress(half, received) if received < half.of.size else await self._finish(half, by)

    async def _finish(self, half: Half, by: Asker) -> Progress:
        async with self._desk.alone(LOOKED_AT):
            await asyncio.to_thread(self._half.check_turn, half.turn)
            await asyncio.to_thread(self._half.check_digest, half)
            await asyncio.to_thread(self._half.hand_over)
            try:
                bundle = await self._desk.inspect()
            except (Invalid, Conflict):
                await asyncio.to_thread(self._half.forget)
                await asyncio.to_thread(self._incoming.discard)
                raise
            now = self._desk.clock()
            found = await asyncio.to_thread(self._incoming.known, bundle, half.of.size, now, half.of)
            await asyncio.to_thread(self._half.done)
        await self._desk.note(by, "update.bring", f"brought update {bundle.version}", bundle.version)
        return Progress(half, half.of.size, found)

    async def standing(self) -> Progress | None:
        """The upload that was begun and is not over."""
        known = await asyncio.to_thread(self._half.found)
        return Progress(*known) if known else None

    async def forget(self, by: Asker) -> None:
        """Remove what is half here. Raises NotFound ``upload-missing``, Conflict ``upload-checked``."""
        async with self._desk.alone():
            await self._desk.check_free()
            known = await asyncio.to_thread(self._half.found)
            if known is None:
                raise missing()
            await asyncio.to_thread(self._half.forget)
        await self._desk.note(by, "update.upload", f"removed the half upload of {known[0].of.name}", known[0].of.name)

    async def give_way(self) -> None:
        """Another one comes in one go, or is fetched, and who asks is ``alone`` for it: there is one at a time."""
        await asyncio.to_thread(self._half.forget)

    async def outlived(self) -> str:
        """Remove what nobody went on with for a day, and say so; empty: nothing."""
        async with self._desk.alone():
            known = await asyncio.to_thread(self._half.outlived, self._desk.clock())
        if known is None:
            return ""
        half, received = known
        return f"the upload of {half.of.name} is removed: {received} of {half.of.size} bytes came, and none for a day"


def missing() -> NotFound:
    """Where there is no upload."""
    return NotFound("upload-missing", "no update is half uploaded", "begin one")
