"""Golden volumes: the file system of an image in a pool, made once, from which each root is cloned in an instant."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress

from appliance.accounts import APPLIANCE, Asker
from appliance.catalogue import ROOTS, Image
from appliance.errors import ApplianceError, Conflict
from appliance.events import Bus, Event, Published
from appliance.filesystem.make import check_programs
from appliance.pool import Deed, GoldenVolume, KnownPool, Use, Work
from appliance.reconcile.pool_asking import Asking, Done
from appliance.reconcile.pool_rooms import Rooms
from appliance.reconcile.record import Tell, record
from appliance.storage.driver import Hears, unheard
from appliance.store import catalogue, goldens, pools, tasks
from appliance.store.store import Store
from appliance.task import Status, Task, TaskId
from appliance.volume import Pool, VolumeId, check_name, check_name_is_free, rounded, usable

LOOK_EVERY = 2.0
"""Seconds between two looks at a task at most: a lost event costs time only."""
TRIES = 3
"""How often what was made and is gone again is made once more."""


class Goldens:
    """``golden`` for deployments, ``make`` for people."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Callable[[], float],
        rooms: Rooms,
        asking: Asking,
        ids: Callable[[], VolumeId],
    ) -> None:
        self._store, self._bus, self._clock = store, bus, clock
        self._rooms, self._asking, self._ids = rooms, asking, ids
        self._alone = asyncio.Lock()

    async def golden(self, image: Image, pool: KnownPool, hears: Hears = unheard) -> GoldenVolume:
        """That of the image as it is now; made where there is none, which takes minutes.

        That is a task of its own, which goes on where whoever waits is cancelled, and after a restart: others may wait
        for it, too. Raises Conflict ``image-not-deployable``, ``golden-cancelled``, ``volume-troubled``; what the task
        failed with; and what the pool's driver raises.
        """
        for _ in range(TRIES):
            async with self._alone:
                if found := await self._there(image, pool):
                    return found
                task = await self._under_way(image, pool) or (await self._ask(image, pool, "", APPLIANCE)).task
            assert task is not None, "it takes long"
            await self._ended(task.id, image, hears)
        text = f"the golden volume of {image.name} in {pool.name} was made, and is gone again"
        raise ApplianceError("golden-gone", text, "see who deletes volumes in this pool")

    async def make(self, pool: str, image: str, name: str, by: Asker, size: int = 0) -> Done:
        """By hand, of ``size`` bytes at least; an empty ``name`` is that of the image.

        Raises NotFound ``image-unknown``; Invalid ``volume-size``; Conflict ``golden-there``, ``name-taken``.
        """
        known = await self._store.read(lambda db: pools.get(db, pool))
        found = await self._store.read(lambda db: catalogue.image(db, image))
        async with self._alone:
            if there := await self._there(found, known):
                text = f"{known.name} has a golden volume of image {found.name} already: {there.name}"
                raise Conflict("golden-there", text, "clone that one", "image")
            if task := await self._under_way(found, known):
                text = f"a golden volume of image {found.name} is being made in {known.name} (task {task.id})"
                raise Conflict("golden-there", text, "wait for it, then clone it", "image")
            return await self._ask(found, known, name, by, rounded(size) if size else 0)

    async def _there(self, image: Image, pool: KnownPool) -> GoldenVolume | None:
        """One that was deleted past us is forgotten, and that is told. Raises Conflict ``volume-troubled``."""
        sha256 = image.stored_sha256
        found = await self._store.read(lambda db: goldens.find(db, image.id, sha256, pool.id))
        if found is None:
            return None
        seen = await self._rooms.driver(pool).look()
        if seen.volume(found.volume) is not None:
            usable(seen, found.volume)
            return found

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            pools.drop_volume(db, found.volume)
            text = f"the golden volume {found.name} is not in {pool.name} any more"
            detail = {**pool.detail, "volume": found.volume}
            tell(Event("volume.changed", self._clock(), text, "somebody removed it past the appliance", detail=detail))

        await record(self._store, self._bus, job)
        return None

    async def _under_way(self, image: Image, pool: KnownPool) -> Task | None:
        """The task that makes it."""

        def look(db: sqlite3.Connection) -> Task | None:
            wanted = (Deed.FILL, str(image.id), image.stored_sha256)
            found = [each.task for each in pools.works(db, pool.id) if (each.deed, each.of, each.sha256) == wanted]
            open_ones = [task for key in found if key and (task := tasks.find(db, key)) and task.open]
            return open_ones[0] if open_ones else None

        return await self._store.read(look)

    async def _ask(self, image: Image, pool: KnownPool, name: str, by: Asker, size: int = 0) -> Done:
        _check_image(image)
        await check_programs(image.format)
        seen, key = await self._rooms.driver(pool).look(), self._ids()
        if name:
            check_name_is_free(seen, check_name(name), key)
        work = Work(
            Deed.FILL, pool.id, by, self._clock(), volume=key, name=name or _free_name(seen, image, key),
            size=size, read_only=True, use=Use.IMAGE, of=str(image.id), golden=True, sha256=image.stored_sha256,
            reason="" if by is not APPLIANCE else "a deployment has its root on a clone of it",
        )  # fmt: skip
        return await self._asking.ask(pool, work)

    async def _ended(self, key: TaskId, image: Image, hears: Hears) -> None:
        """Raises what the task ended with, where that is not what was wanted."""

        def matters(item: Published) -> bool:
            return isinstance(item, Event) and item.detail.get("task") == key

        with self._bus.subscribe(64) as subscription:
            while (task := await self._store.read(lambda db: tasks.get(db, key))).open:
                hears(task.progress, task.message or "making the golden volume")
                await subscription.woken(matters, LOOK_EVERY)
        if task.status is Status.CANCELLED:
            text = f"the golden volume of {image.name} was not made: task {key} was cancelled"
            raise Conflict("golden-cancelled", text, "ask for it again")
        if task.status is Status.FAILED:
            text = f"the golden volume of {image.name} could not be made: {task.reason}"
            raise ApplianceError(task.code, text, f"look at task {key}")


def _check_image(image: Image) -> None:
    if image.format not in ROOTS:
        text = f"image {image.name} is a whole disk ({image.format}), and no root file system is made of that"
        raise Conflict("image-not-deployable", text, "choose an image of format tar or squashfs", "image")


def _free_name(seen: Pool, image: Image, key: VolumeId) -> str:
    """That of the image, or one like it."""
    with suppress(Conflict):
        check_name_is_free(seen, image.name, key)
        return image.name
    return f"{image.name[:50]}-{key[:8]}"
