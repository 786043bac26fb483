"""A file on its way from an address: gone on with where it was lost, given up where it stalls."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from appliance.errors import ApplianceError
from appliance.half_upload import LONGEST_NAME, Half, Identity, Piece
from appliance.intake import Fetched, KernelWish, place_of
from appliance.reconcile.fetching import Check, Source, Start, check_reached, check_source, opened
from appliance.reconcile.half_file import HalfFile
from appliance.reconcile.intake_work import Share, Stage
from appliance.reconcile.jobs import Running

AGAIN = frozenset({"fetch-failed", "upload-cut-off"})
"""What may be better the next time."""
PAUSES = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0)
"""Seconds before each further try; where little more than before is here after the last one, it is given up."""
WINDOW_SECONDS, SLOWEST = 120.0, 64 << 10
"""A server that sends fewer bytes than this in so long stalls."""


@dataclass(frozen=True, slots=True)
class Checks:
    """Who is asked, and who is not; tests have others."""

    url: Check = check_source
    address: Check = check_reached


class Fetch:
    """One of them."""

    def __init__(self, file: HalfFile, wish: Fetched, sha256: str, running: Running, checks: Checks) -> None:
        self._file, self._wish, self._sha256, self._running, self._checks = file, wish, sha256, running, checks
        self._furthest, self._lost = 0, 0

    async def run(self, clock: Callable[[], float]) -> Half:
        """Until all of it is here.

        Raises JobCancelled; Invalid for an address that is not asked; ApplianceError ``fetch-failed`` where it does
        not go on, ``upload-failed`` without room; Conflict where somebody else brings it.
        """
        while True:
            try:
                return await self._once(clock)
            except ApplianceError as error:
                await self._pause(error)

    async def _once(self, clock: Callable[[], float]) -> Half:
        known = await asyncio.to_thread(self._known)
        if known is not None and known[1] == known[0].of.size:
            return known[0]
        start = Start(known[1], known[0].of.mark) if known else Start()
        async with opened(self._wish.url, start, self._checks.url, self._checks.address) as source:
            half = await asyncio.to_thread(self._begun, source, clock())
            share = Share(half.of.size)
            text = f"fetching {half.of.size / 1e9:.1f} GB"
            stage = Stage(self._running, 0.0, 0.4, text)
            place = Piece(source.first, half.of.size - 1, half.of.size)
            half, _ = await stage.attend(self._file.take(half.turn, place, _watched(source, share)), share)
        return half

    def _known(self) -> tuple[Half, int] | None:
        """What is here of it already; blocks."""
        found = self._file.found()
        if found is None or found[0].of.sha256 != self._sha256:
            return None
        becomes = found[0].becomes
        return found if becomes and not isinstance(becomes, KernelWish) and becomes.url == self._wish.url else None

    def _begun(self, source: Source, now: float) -> Half:
        """Blocks. What is here goes where the server begins anew, or has another state of it by now."""
        if not 0 < source.size <= place_of(self._wish).way.most:
            said = (
                "does not say how large it is"
                if not source.size
                else f"has {source.size} bytes of it, which are too many"
            )
            hint = "fetch it yourself, then upload it"
            raise ApplianceError("fetch-unfit", f"the server {said}", hint)
        if source.first == 0:
            self._file.forget()
        of = Identity(_name(self._wish.url), source.size, self._sha256, source.mark)
        half, received, _ = self._file.begin(of, self._running.task.owner, now, replace=True, becomes=self._wish)
        if received != source.first:
            self._file.forget()
            raise ApplianceError("fetch-failed", "the server sends another part than the one that is missing here")
        return half

    async def _pause(self, error: ApplianceError) -> None:
        """Before the next try; raises the error where there is none."""
        found = await asyncio.to_thread(self._known)
        received = found[1] if found else 0
        if received > self._furthest + SLOWEST:
            self._furthest, self._lost = received, 0
        if error.code not in AGAIN or self._lost == len(PAUSES):
            raise error
        await self._running.say(f"{error.message}; {received} bytes are here, and it is asked for the rest")
        waited = Share(0.0)
        stage = Stage(self._running, self._running.task.progress, self._running.task.progress, "waits to ask again")
        await stage.attend(asyncio.sleep(PAUSES[self._lost]), waited)
        self._lost += 1


async def _watched(source: Source, share: Share) -> AsyncIterator[bytes]:
    """The chunks, counted; raises ApplianceError ``fetch-failed`` where they come too slowly for any use."""
    at, since, then = source.first, time.monotonic(), source.first
    async for chunk in source.chunks:
        at += len(chunk)
        share.told(at)
        yield chunk
        if (now := time.monotonic()) - since > WINDOW_SECONDS:
            if at - then < SLOWEST:
                text = f"the server stalls: {at - then} bytes came in {now - since:.0f} seconds"
                raise ApplianceError("fetch-failed", text)
            since, then = now, at


def _name(url: str) -> str:
    """What the file is called, as its address ends."""
    found = urlsplit(url)
    last = unquote(found.path.rstrip("/").rpartition("/")[2]) or found.hostname or "file"
    return "".join(each if each.isprintable() else "?" for each in last)[:LONGEST_NAME]
