"""What is done with a file that is here as a whole, until it is listed: told as it goes on, and ended when asked."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeVar

from appliance.catalogue import Image
from appliance.errors import first_of
from appliance.imageformat.found import Found
from appliance.reconcile.imports import Content, Imports
from appliance.reconcile.jobs import JobCancelled, Running
from appliance.reconcile.recognising import looked_at

T = TypeVar("T")
LOOK_EVERY = 0.5
"""Seconds between two looks whether somebody wants it to end."""
STEP = 8 << 20
"""Bytes that are read at once."""


class Share:
    """How far work is that goes on elsewhere, and whether it is to end."""

    def __init__(self, most: float) -> None:
        """``most`` is what it counts to."""
        self._most, self._at, self._over = most, 0.0, False

    def told(self, at: float) -> None:
        """Count to here; raises JobCancelled where it is to end."""
        self._at = at
        if self._over:
            raise JobCancelled

    def end(self) -> None:
        """It is not waited for any more."""
        self._over = True

    @property
    def done(self) -> float:
        """0 to 1."""
        return min(self._at / self._most, 1.0) if self._most else 1.0


class Stage:
    """A part of a job: from which share of it to which, and what is said meanwhile."""

    def __init__(self, running: Running, first: float, last: float, text: str) -> None:
        self._running, self._first, self._last, self._text = running, first, last, text

    async def attend(self, work: Awaitable[T], share: Share) -> T:
        """Wait for work and tell how far it is; cancelled, it is ended first. Raises what it raises, JobCancelled."""

        async def doing() -> T:
            return await work

        try:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(doing(), name=self._text)
                while not task.done():
                    await asyncio.wait([task], timeout=LOOK_EVERY)
                    await self._tell(share)
        except BaseExceptionGroup as error:
            raise first_of(error) from None
        finally:
            share.end()
        return task.result()

    async def _tell(self, share: Share) -> None:
        await self._running.progress(self._first + (self._last - self._first) * share.done, self._text)


async def digest_of(path: Path, stage: Stage) -> str:
    """The SHA-256 of a file, hexadecimal."""
    share = Share((await asyncio.to_thread(path.stat)).st_size)
    return await stage.attend(asyncio.to_thread(_digest, path, share.told), share)


def _digest(path: Path, told: Callable[[int], object]) -> str:
    digest, at = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(STEP):
            digest.update(chunk)
            at += len(chunk)
            told(at)
    return digest.hexdigest()


class ImageWork:
    """Takes one file into the catalogue of images."""

    def __init__(self, imports: Imports, running: Running) -> None:
        self._imports, self._running = imports, running

    async def look(self, path: Path, asked: str) -> Found:
        """What it is; raises Invalid for what can be no image, or not the format that was ``asked`` for."""
        share = Share((await asyncio.to_thread(path.stat)).st_size * 4.0)
        stage = Stage(self._running, 0.4, 0.6, "looking at what it is")
        return await stage.attend(asyncio.to_thread(looked_at, path, asked, share.told), share)

    async def listed(
        self, found: Found, content: Content, list_it: Callable[[Found, Content], Awaitable[Image]]
    ) -> Image:
        """List it, as a raw disk where it is qcow2; that is removed again where it is not listed."""
        if found.format != "qcow2":
            return await list_it(found, content)
        await self._running.say("it is qcow2, and stored as the raw disk that is in it")
        share = Share(1.0)
        stage = Stage(self._running, 0.6, 0.95, "making a raw disk of it")
        async with AsyncExitStack() as made:
            making = made.enter_async_context(self._imports.as_disk(content, found, share.told))
            return await list_it(*await stage.attend(making, share))
