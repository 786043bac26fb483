"""Does what is done to a pool as a whole: made, adopted, extended, checked, repaired, retired.

Each can be done again from its beginning: the privileged helper goes on with what was cut off.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from appliance.errors import Conflict, NotFound
from appliance.events import Bus, Event
from appliance.pool import LVM, Deed, KnownPool, Work
from appliance.privileged.verbs.lvm import Group
from appliance.privileged.verbs.lvm_pools import Adopt, ExtendPool, GrowPool, MakePool, Part, Retire
from appliance.privileged.verbs.lvm_repair import Examine, Repair
from appliance.privileged.verbs.lvm_seen import pool_of
from appliance.reconcile import audit
from appliance.reconcile.pool_news import given_by_disk
from appliance.reconcile.pool_rooms import Rooms
from appliance.reconcile.record import Tell, record
from appliance.storage.directory import prepare
from appliance.storage.driver import Hears
from appliance.store import pools
from appliance.store.store import Store
from appliance.volume import PoolKind

Outcome = tuple[KnownPool, dict[str, Any]]
"""The pool as it is then, and what the task brings."""
_DONE = {
    Deed.MAKE: "{by} made the pool {pool}",
    Deed.ADOPT: "{by} made the pool {pool} of the volume group {name}",
    Deed.EXTEND: "{by} extended the pool {pool}",
    Deed.RETIRE: "{by} retired the pool {pool}",
    Deed.EXAMINE: "{by} had the pool {pool} checked",
    Deed.REPAIR: "{by} repaired the pool {pool}",
}


class PoolDeeds:
    """Carries them out, one at a time for each pool."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], rooms: Rooms) -> None:
        self._store, self._bus, self._clock, self._rooms = store, bus, clock, rooms
        self._helper = rooms.on.helper
        self._acts: dict[Deed, Callable[[KnownPool, Work, Hears], Awaitable[Outcome]]] = {
            Deed.MAKE: self._make,
            Deed.ADOPT: self._adopt,
            Deed.EXTEND: self._extend,
            Deed.RETIRE: self._retire,
            Deed.EXAMINE: self._examine,
            Deed.REPAIR: self._repair,
        }

    async def carry_out(self, pool: KnownPool, work: Work, hears: Hears) -> dict[str, Any]:
        """Do it, note it, tell it; raises what the helper raises."""
        async with self._rooms.alone(pool):
            if await self._store.read(lambda db: pools.work(db, work.id)) is None:
                return {"pool": pool.id}
            after, result = await self._acts[work.deed](pool, work, hears)
            await record(self._store, self._bus, lambda db, tell: self._end(db, tell, pool, after, work))
            return {"pool": pool.id, **result}

    def _end(self, db: sqlite3.Connection, tell: Tell, before: KnownPool, after: KnownPool, work: Work) -> None:
        now = self._clock()
        if after != before:
            pools.put(db, after)
        pools.drop_work(db, work.id)
        was, new = _noted(before, after, work)
        audit.note(db, work.by, work.deed, ("pool", after.id, after.name), was, new, now=now)
        text = _DONE[work.deed].format(by=work.by.name, pool=after.name, name=work.name)
        detail = {**after.detail, "deed": work.deed, "task": work.task}
        tell(Event("pool.changed", now, text, work.reason, detail=detail))

    async def _make(self, pool: KnownPool, work: Work, hears: Hears) -> Outcome:
        if pool.kind in LVM:
            made = MakePool(pool.name, _parts(work), pool.kind is PoolKind.LVM_THIN)
            await self._helper.call(made, hears)
            found = [each for each in await self._rooms.groups() if each.name == pool.name and each.is_pool]
            return replace(pool, place=_only(found, pool.name).uuid), {}
        if pool.kind is PoolKind.DIRECTORY:
            await asyncio.to_thread(prepare, Path(pool.place))
        return pool, {}

    async def _adopt(self, pool: KnownPool, work: Work, hears: Hears) -> Outcome:
        """One that was a pool of an appliance before is what it was, thin or thick."""
        await self._helper.call(Adopt(pool.place, work.name, pool.kind is PoolKind.LVM_THIN), hears)
        found = [each for each in await self._rooms.groups() if each.uuid == pool.place]
        kind = PoolKind.LVM_THIN if _only(found, work.name).thin_pool else PoolKind.LVM_THICK
        return replace(pool, kind=kind), {}

    async def _extend(self, pool: KnownPool, work: Work, hears: Hears) -> Outcome:
        for part in _parts(work):
            await self._helper.call(ExtendPool(pool.place, part), hears)
        given = given_by_disk(pool_of(await self._rooms.group(pool)))
        if given.data or given.metadata:
            await self._helper.call(GrowPool(pool.place, given.data, given.metadata), hears)
        return pool, {}

    async def _retire(self, pool: KnownPool, work: Work, hears: Hears) -> Outcome:
        """One that is not there any more, or that was retired before the appliance was cut off, is only forgotten."""
        try:
            if pool.kind in LVM:
                group = await self._rooms.group(pool)
                await self._helper.call(Retire(pool.place, group.name), hears)
            elif (await self._rooms.driver(pool).look()).volumes:
                text = f"there are volumes in {pool.name}"
                raise Conflict("pool-not-empty", text, "delete its volumes first")
        except NotFound as error:
            if error.code != "pool-missing":
                raise
        return replace(pool, retired=self._clock()), {}

    async def _examine(self, pool: KnownPool, work: Work, hears: Hears) -> Outcome:
        found = await self._helper.call(Examine(pool.place), hears)
        return pool, {"sound": found.sound, "said": found.said, "steps": list(found.steps)}

    async def _repair(self, pool: KnownPool, work: Work, hears: Hears) -> Outcome:
        await self._helper.call(Repair(pool.place, work.name), hears)
        return pool, {}


def _parts(work: Work) -> tuple[Part, ...]:
    return tuple(Part(each.disk, each.partition, each.holds) for each in work.parts)


def _only(found: list[Group], name: str) -> Group:
    if len(found) != 1:
        text = f"the volume group {name} is not there after it was made a pool of"
        raise NotFound("pool-missing", text, "see that its disks are connected, then look at the groups again")
    return found[0]


def _noted(before: KnownPool, after: KnownPool, work: Work) -> tuple[Any, Any]:
    """Before and after, for the audit log."""
    parts = [asdict(each) for each in work.parts]
    match work.deed:
        case Deed.MAKE | Deed.ADOPT:
            return None, {"name": after.name, "kind": after.kind, "place": after.place, "disks": parts}
        case Deed.RETIRE:
            return {"name": before.name, "kind": before.kind, "place": before.place}, None
        case Deed.EXTEND:
            return None, {"disks": parts}
    return None, None
