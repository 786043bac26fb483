"""Looks at pools, for whoever shows them."""

import sqlite3
from dataclasses import replace
from typing import NamedTuple, TypeVar, cast

from appliance.errors import ApplianceError
from appliance.pool import KnownPool, KnownVolume, Work
from appliance.privileged.verb import Verb
from appliance.privileged.verbs.lvm import Group, Report
from appliance.reconcile.pool_rooms import Rooms
from appliance.reconcile.pool_shown import PoolView
from appliance.storage.build import Surroundings
from appliance.storage.driver import Hears, unheard
from appliance.storage.lvm import Asks
from appliance.store import pools
from appliance.store.store import Store
from appliance.volume import Pool, VolumeId

R = TypeVar("R")


class PoolViews:
    """Looks; changes nothing."""

    def __init__(self, store: Store, rooms: Rooms) -> None:
        self._store, self._rooms = store, rooms

    async def pools(self) -> list[PoolView]:
        """All that are not retired, by name; LVM is asked once for all of them, behind the store."""
        on = replace(self._rooms.on, helper=_OneReport(self._rooms.on.helper))
        known = await self._store.read(lambda db: [_beside(db, each) for each in pools.every(db)])
        return [await self._seen(each, on) for each in known]

    async def pool(self, key: str) -> PoolView:
        """The one with this name or number; raises NotFound ``pool-unknown``."""
        return await self._seen(await self._store.read(lambda db: _beside(db, pools.get(db, key))))

    async def groups(self) -> list[Group]:
        """Volume groups that are no pools here: each may be made one."""
        ours = {each.place for each in await self._store.read(pools.every)}
        return [each for each in await self._rooms.groups() if each.uuid not in ours]

    async def _seen(self, beside: "_Beside", on: Surroundings | None = None) -> PoolView:
        seen, trouble = None, ""
        try:
            seen = await self._rooms.driver(beside.pool, on=on).look()
        except ApplianceError as error:
            trouble = error.message
        lost = await self._lost(beside, seen) if seen else ()
        trouble = trouble or (seen.trouble if seen else "")
        return PoolView(beside.pool, seen, trouble, tuple(beside.works), lost, beside.volumes)

    async def _lost(self, before: "_Beside", seen: Pool) -> tuple[KnownVolume, ...]:
        """Of which something was kept before the look, and is still: what is deleted meanwhile is not lost."""
        gone = before.volumes.keys() - {each.id for each in seen.volumes}
        if not gone:
            return ()
        after = await self._store.read(lambda db: _beside(db, before.pool))
        gone &= after.volumes.keys() - {each.volume for each in after.works}
        return tuple(each for key, each in before.volumes.items() if key in gone)


class _Beside(NamedTuple):
    """What is kept of a pool."""

    pool: KnownPool
    works: list[Work]
    volumes: dict[VolumeId, KnownVolume]


def _beside(db: sqlite3.Connection, pool: KnownPool) -> _Beside:
    return _Beside(pool, pools.works(db, pool.id), pools.volumes(db, pool.id))


class _OneReport:
    """The helper, with one report of LVM's for who looks at all pools: with thousands of volumes it takes a while."""

    def __init__(self, helper: Asks) -> None:
        self._helper = helper
        self._groups: list[Group] | None = None

    async def call(self, verb: Verb[R], hears: Hears = unheard) -> R:
        """See ``Asks``."""
        if not isinstance(verb, Report):
            return await self._helper.call(verb, hears)
        if self._groups is None:
            self._groups = await self._helper.call(verb)
        return cast("R", self._groups)
