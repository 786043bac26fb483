"""An image on its way from a recipe: who makes it, what is heard of it meanwhile, and what came of it."""

import asyncio
import shutil
import stat
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from appliance import command
from appliance.decoding import decoded
from appliance.errors import ApplianceError, first_of
from appliance.privileged.client import Privileged
from appliance.privileged.verbs.recipes import LONGEST, Build
from appliance.recipes.building import FAILED, ORDER, SAID, Failure, Said
from appliance.recipes.order import IMAGE, Order
from appliance.reconcile.jobs import Running

LOOK_EVERY = 0.5
"""Seconds between two looks at what it says."""
SHARE = 0.9
"""Of the task, until the image is there; the rest is looking at it."""


class Builder(Protocol):
    """Makes what the order in a place asks for."""

    async def build(self, place: Path) -> None:
        """Until it is over, whatever came of it; what was going on ends where the caller is cancelled."""


class ChildBuilder:
    """As a program of the daemon's own: on computers where that may have user namespaces."""

    async def build(self, place: Path) -> None:
        """Raises ApplianceError ``program-stuck``."""
        try:
            argv = [sys.executable, "-m", "appliance.recipes.building", str(place)]
            await command.said(argv, {}, LONGEST)
        except ApplianceError as error:
            if error.code != "program-failed":
                raise


class UnitBuilder:
    """In a unit of its own, which the privileged helper starts: on a flashed appliance."""

    def __init__(self, privileged: Privileged) -> None:
        self._privileged = privileged

    async def build(self, place: Path) -> None:
        """Raises as ``Privileged.call``."""
        await self._privileged.call(Build(place.name))


class Place:
    """A directory in which one image is made; nothing in it is believed but as what somebody else wrote."""

    def __init__(self, path: Path) -> None:
        self.path, self._at = path, 0

    @asynccontextmanager
    async def holding(self, order: Order) -> AsyncIterator[None]:
        """With the order in it, and nothing of an earlier try; it is gone afterwards."""

        def begin() -> None:
            shutil.rmtree(self.path, ignore_errors=True)
            self.path.mkdir(mode=0o700, parents=True)
            (self.path / ORDER).write_bytes(msgspec.json.encode(order))

        await asyncio.to_thread(begin)
        try:
            yield
        finally:
            await asyncio.to_thread(shutil.rmtree, self.path, ignore_errors=True)

    def news(self) -> list[Said]:
        """What was said since the last look; blocks. A line that is half written is read with the next look."""
        try:
            with (self.path / SAID).open("rb") as file:
                file.seek(self._at)
                whole, _, _ = file.read(1 << 20).rpartition(b"\n")
        except OSError:
            return []
        if not whole:
            return []
        self._at += len(whole) + 1
        return [found for line in whole.split(b"\n") if (found := _said(line)) is not None]

    def image(self) -> Path:
        """The file that was made; blocks. Raises ApplianceError with why there is none."""
        if (self.path / FAILED).exists():
            failure = decoded((self.path / FAILED).read_bytes(), Failure)
            raise ApplianceError(failure.code, f"{failure.message}. {failure.hint}".strip())
        try:
            found = (self.path / IMAGE).lstat()
        except FileNotFoundError:
            text = "the program that makes the image ended in the middle"
            raise ApplianceError(
                "recipe-failed", text, "try it once more; see the journal of appliance-recipe@*"
            ) from None
        # Who made it has read packages of strangers: a link would be one to a file of the daemon's.
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise ApplianceError("recipe-failed", "what was made is no file", "do not use this recipe any more")
        return self.path / IMAGE


def _said(line: bytes) -> Said | None:
    try:
        return decoded(line, Said)
    except msgspec.DecodeError:
        return None


async def made(builder: Builder, place: Place, running: Running) -> Path:
    """Have it made, and tell how far it is; the file. Raises JobCancelled, and as ``Place.image`` and the builder."""
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(builder.build(place.path), name=f"image in {place.path.name}")
            share, text = 0.0, "begins"
            while not task.done():
                await asyncio.wait([task], timeout=LOOK_EVERY)
                for said in await asyncio.to_thread(place.news):
                    if said.text != text:
                        await running.say(said.text)
                    share, text = min(max(said.share, 0.0), 1.0), said.text
                await running.progress(SHARE * share, text)
    except BaseExceptionGroup as error:
        raise first_of(error) from None
    return await asyncio.to_thread(place.image)


def sweep(directory: Path, but: Collection[str]) -> None:
    """Remove the places of tasks that are over; blocks."""
    for path in directory.glob("*"):
        if path.name not in but:
            shutil.rmtree(path, ignore_errors=True)
