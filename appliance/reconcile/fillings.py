"""The files that golden volumes are filled with: made of an image where one is wanted, and gone afterwards."""

import asyncio
import os
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from appliance.catalogue import Image, ImageId
from appliance.errors import Conflict, NotFound
from appliance.filesystem import ext4
from appliance.filesystem.make import Order, make
from appliance.filesystem.stored import Stored
from appliance.on_disk import sync
from appliance.pool import Work
from appliance.reconcile.disk_room import check_room
from appliance.storage.driver import Hears
from appliance.store import catalogue, pools
from appliance.store.store import Store
from appliance.volume import FILLING

IMAGES = "images"
"""The directory in the state that has the contents of images, by their ids."""


@dataclass(frozen=True, slots=True)
class Filling:
    """A file system that is whole and on the disk."""

    path: Path
    size: int
    """Bytes."""


class Fillings:
    """Owns the directory ``FILLING`` of the state; a file in it has the id of the volume that it is for."""

    def __init__(self, store: Store, state: Path) -> None:
        self._store, self._state = store, state
        self._place = state / FILLING

    @asynccontextmanager
    async def made(self, work: Work, hears: Hears) -> AsyncIterator[Filling]:
        """What a volume is to hold, for the length of the with-block.

        The same each time, so that what was cut off can be done again. Raises Conflict ``image-changed``, and what
        ``make`` raises.
        """
        assert work.volume is not None, "it is made for one"
        image = await self._image(work)
        await asyncio.to_thread(self._prepare)
        path = self._place / work.volume
        stored = Stored(self._state / IMAGES / str(image.id), image.format, image.stored_size)
        try:
            order = Order(stored, work.sha256, path, ext4.uuid_for(work.volume), work.size)
            yield Filling(path, await make(order, _room, hears))
        finally:
            path.unlink(missing_ok=True)

    async def sweep(self) -> None:
        """Remove what a killed daemon has left when all but that was done; what is under way is made again."""
        works = await self._store.read(pools.works)
        await asyncio.to_thread(self._clear, {each.volume for each in works})

    def forget(self, work: Work) -> None:
        """Remove what a killed daemon has left of it."""
        if work.volume is not None:
            (self._place / work.volume).unlink(missing_ok=True)

    async def _image(self, work: Work) -> Image:
        try:
            found = await self._store.read(lambda db: catalogue.image(db, ImageId(int(work.of))))
        except NotFound as error:
            raise _changed("was deleted") from error
        if found.stored_sha256 != work.sha256:
            raise _changed("has other content by now")
        return found

    def _clear(self, wanted: Collection[str | None]) -> None:
        if self._place.is_dir():
            for each in self._place.iterdir():
                if each.name not in wanted:
                    each.unlink(missing_ok=True)

    def _prepare(self) -> None:
        self._place.mkdir(mode=0o700, exist_ok=True)
        sync(self._state)


def _changed(how: str) -> Conflict:
    return Conflict("image-changed", f"the image {how} while a volume was made of it", "ask for it again")


def _room(beside: Path, needed: int) -> None:
    descriptor = os.open(beside.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        check_room(descriptor, needed)
    finally:
        os.close(descriptor)
