"""What users, images, deployments and virtual machines ask of volumes."""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace

from appliance.accounts import Asker
from appliance.errors import Conflict
from appliance.events import Event
from appliance.pool import Deed, KnownPool, KnownVolume, Use, Work, is_long
from appliance.reconcile import audit
from appliance.reconcile.consequences import Consequences, check_agreement
from appliance.reconcile.pool_asking import Asking, Done
from appliance.reconcile.pool_consequences import of_delete, of_lost, of_roll_back
from appliance.reconcile.pool_shown import PoolView, VolumeView
from appliance.reconcile.pool_views import PoolViews
from appliance.reconcile.record import Tell, record
from appliance.store import pools
from appliance.volume import (
    NewVolume,
    VolumeId,
    check_fits,
    check_grows,
    check_name,
    checked,
    is_to_be_copied,
    is_to_be_created,
    rounded,
    usable,
)


@dataclass(frozen=True, slots=True)
class VolumeWish:
    """A volume that is wanted."""

    name: str
    size: int = 0
    """Bytes; 0: that of what it is made from."""
    read_only: bool = False
    golden: bool = False
    use: Use = Use.USER
    of: str = ""
    """Id of the image, deployment or VM that it is for."""
    reason: str = ""
    """Why, where it is not a user who wants it."""


def new_id() -> VolumeId:
    """One that no volume had."""
    return VolumeId(os.urandom(8).hex())


class Volumes:
    """Every method that changes something takes ``by``, who asked.

    ``pool`` is the name or number of a pool, ``key`` the id or name of a volume in it. Raises Invalid, NotFound,
    Conflict, and what the pool's driver raises. What takes long comes back as a task.
    """

    def __init__(self, asking: Asking, views: PoolViews, ids: Callable[[], VolumeId] = new_id) -> None:
        self._asking, self._views, self._ids = asking, views, ids

    async def create(self, pool: str, wish: VolumeWish, by: Asker) -> Done:
        """An empty volume."""
        known = await self._pool(pool)
        new = checked(NewVolume(self._ids(), wish.name, wish.size, wish.read_only))
        if is_long(known.kind, Deed.CREATE):
            is_to_be_created((await self._views.pool(pool)).found(), new)
        return await self._asking.ask(known, self._making(Deed.CREATE, known, new, wish, by))

    async def snapshot(self, pool: str, key: str, wish: VolumeWish, by: Asker) -> Done:
        """What the volume holds now, read-only; it can be rolled back to it."""
        return await self._copy(Deed.SNAPSHOT, pool, key, replace(wish, size=0, read_only=True), by)

    async def clone(self, pool: str, key: str, wish: VolumeWish, by: Asker) -> Done:
        """A volume of its own that holds what this one holds now."""
        return await self._copy(Deed.CLONE, pool, key, wish, by)

    async def grow(self, pool: str, key: str, size: int, by: Asker, reason: str = "") -> Done:
        """To at least so many bytes; also while it is in use."""
        view = await self._views.pool(pool)
        volume, size = view.volume(key).volume, rounded(size)
        seen = view.found()
        check_grows(usable(seen, volume.id), size)
        check_fits(seen, size - volume.size if is_long(seen.kind, Deed.GROW) else size)
        return await self._asking.ask(view.known, self._on(Deed.GROW, view, volume.name, volume.id, by, reason, size))

    async def rename(self, pool: str, key: str, name: str, by: Asker, reason: str = "") -> Done:
        """For people; its id stays."""
        check_name(name)
        view = await self._views.pool(pool)
        return await self._asking.ask(
            view.known, self._on(Deed.RENAME, view, name, view.volume(key).volume.id, by, reason)
        )

    async def delete(self, pool: str, key: str, confirm: str | None, by: Asker, reason: str = "") -> Done:
        """Confirmed by its name; one that is not in its pool any more is forgotten."""
        view = await self._views.pool(pool)
        _agreed(self._of_delete(view, key), confirm)
        if (lost := _lost(view, key)) is not None:
            work = self._on(Deed.DELETE, view, lost.name, lost.id, by, reason)
        else:
            volume = view.volume(key).volume
            work = self._on(Deed.DELETE, view, volume.name, volume.id, by, reason)
        return await self._asking.ask(view.known, work)

    async def roll_back(
        self, pool: str, key: str, snapshot: str, confirm: str | None, by: Asker, reason: str = ""
    ) -> Done:
        """To what a snapshot has kept; confirmed by the volume's name."""
        view = await self._views.pool(pool)
        volume, kept = view.volume(key).volume, view.volume(snapshot).volume
        _agreed(of_roll_back(volume, kept), confirm)
        work = replace(self._on(Deed.ROLL_BACK, view, volume.name, volume.id, by, reason), source=kept.id)
        return await self._asking.ask(view.known, work)

    async def delete_consequences(self, pool: str, key: str) -> Consequences:
        """What it would mean to delete it."""
        return self._of_delete(await self._views.pool(pool), key)

    async def roll_back_consequences(self, pool: str, key: str, snapshot: str) -> Consequences:
        """What it would mean to roll it back."""
        view = await self._views.pool(pool)
        return of_roll_back(view.volume(key).volume, view.volume(snapshot).volume)

    async def mark(
        self, pool: str, key: str, by: Asker, *, golden: bool | None = None, use: Use | None = None, of: str = ""
    ) -> VolumeView:
        """Say that it is golden, or no longer; or whose it is."""
        view = await self._views.pool(pool)
        found = view.volume(key)
        after = found.known if golden is None else replace(found.known, golden=golden)
        after = after if use is None else replace(after, use=use, of=of)

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            now = self._asking.clock()
            pools.put_volume(db, after)
            audit.note(db, by, "volume.mark", ("volume", after.id, after.name), found.known, after, now=now)
            detail = {**view.known.detail, "volume": after.id}
            tell(Event("volume.changed", now, _marked(by, found.known, after), detail=detail))

        if after != found.known:
            await record(self._asking.store, self._asking.bus, job)
        return replace(found, known=after)

    async def _pool(self, key: str) -> KnownPool:
        return await self._asking.store.read(lambda db: pools.get(db, key))

    async def _copy(self, deed: Deed, pool: str, key: str, wish: VolumeWish, by: Asker) -> Done:
        check_name(wish.name)
        view = await self._views.pool(pool)
        origin = view.volume(key).volume
        new = checked(NewVolume(self._ids(), wish.name, wish.size or origin.size, wish.read_only))
        is_to_be_copied(view.found(), origin.id, new)
        work = replace(self._making(deed, view.known, new, wish, by), source=origin.id)
        return await self._asking.ask(view.known, work)

    def _making(self, deed: Deed, pool: KnownPool, new: NewVolume, wish: VolumeWish, by: Asker) -> Work:
        return Work(
            deed, pool.id, by, self._asking.clock(), volume=new.id, name=new.name, size=new.size,
            read_only=new.read_only, use=wish.use, of=wish.of, golden=wish.golden, reason=wish.reason,
        )  # fmt: skip

    def _on(
        self, deed: Deed, view: PoolView, name: str, volume: VolumeId, by: Asker, reason: str, size: int = 0
    ) -> Work:
        now = self._asking.clock()
        return Work(deed, view.known.id, by, now, volume=volume, name=name, size=size, reason=reason)

    def _of_delete(self, view: PoolView, key: str) -> Consequences:
        if (lost := _lost(view, key)) is not None:
            return of_lost(lost)
        found = view.volume(key)
        return of_delete(view.found(), found.volume, found.known)


def _lost(view: PoolView, key: str) -> KnownVolume | None:
    """Where none that is in the pool is meant."""
    if view.seen is None or any(key in (each.id, each.name) for each in view.seen.volumes):
        return None
    return next((each for each in view.lost if key in (each.id, each.name)), None)


def _agreed(foreseen: Consequences, confirm: str | None) -> None:
    """Raises Conflict ``volume-refused``, ``confirmation-needed``."""
    if foreseen.refused:
        raise Conflict("volume-refused", foreseen.refused, "look at it again later")
    check_agreement(foreseen, confirm, "")


def _marked(by: Asker, before: KnownVolume, after: KnownVolume) -> str:
    if before.golden != after.golden:
        return f"{by} says that {after.name} is golden{'' if after.golden else ' no longer'}"
    return f"{by} says whose {after.name} is"
