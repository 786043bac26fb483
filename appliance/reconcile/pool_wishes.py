"""What administrators ask of pools: made, adopted, extended, checked, repaired, retired. All of it comes as a task."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from appliance.accounts import Asker
from appliance.errors import Conflict, Invalid, NotFound
from appliance.pool import LVM, Deed, KnownPool, PoolPart, Work, check_pool_name
from appliance.privileged.verbs.lvm import Group
from appliance.reconcile.consequences import Consequences, check_agreement
from appliance.reconcile.pool_asking import Asking
from appliance.reconcile.pool_consequences import of_adopt, of_parts, of_repair, of_retire
from appliance.reconcile.pool_rooms import Rooms
from appliance.reconcile.pool_shown import PoolView
from appliance.reconcile.pool_views import PoolViews
from appliance.task import Task
from appliance.volume import PoolId, PoolKind


@dataclass(frozen=True, slots=True)
class PoolWish:
    """A pool that is wanted."""

    name: str
    """Also of its volume group."""
    kind: PoolKind
    place: str = ""
    """The path of a directory that is there; empty for what is made of disks."""
    parts: tuple[PoolPart, ...] = ()


class Pools:
    """Every method that changes something takes ``by``, who asked, and gives the task that does it.

    ``key`` is the name or number of a pool. Raises Invalid, NotFound, Conflict.
    """

    def __init__(self, asking: Asking, views: PoolViews, rooms: Rooms) -> None:
        self._asking, self._views, self._rooms = asking, views, rooms

    async def make(self, wish: PoolWish, confirm: str | None, by: Asker) -> Task:
        """A new one; disks that hold something are confirmed by their identifiers, with commas between."""
        check_pool_name(wish.name)
        if wish.kind in LVM:
            _check_parts(wish.parts)
        elif wish.kind is PoolKind.DIRECTORY:
            await asyncio.to_thread(_check_directory, wish.place)
        check_agreement(of_parts(wish.parts), confirm, "")
        place = "" if wish.kind in LVM else wish.place or wish.name
        pool = KnownPool(PoolId(0), wish.name, wish.kind, place, self._asking.clock())
        return await self._asked_new(pool, self._work(Deed.MAKE, pool, by, parts=wish.parts))

    async def adopt(self, group: str, name: str, confirm: str | None, by: Asker, *, thin: bool = True) -> Task:
        """Of a volume group, by its UUID, that is no pool here; confirmed by the group's name."""
        check_pool_name(name)
        found = await self._group(group)
        check_agreement(of_adopt(found.name), confirm, "")
        kind = PoolKind.LVM_THIN if thin else PoolKind.LVM_THICK
        pool = KnownPool(PoolId(0), name, kind, found.uuid, self._asking.clock())
        return await self._asked_new(pool, self._work(Deed.ADOPT, pool, by, found.name))

    async def extend(self, key: str, part: PoolPart, confirm: str | None, by: Asker) -> Task:
        """By a disk or a partition; confirmed by its identifier where it holds something."""
        pool = (await self._of_disks(key)).known
        _check_parts((part,))
        check_agreement(of_parts((part,)), confirm, "")
        return await self._asked(pool, self._work(Deed.EXTEND, pool, by, parts=(part,)))

    async def retire(self, key: str, confirm: str | None, by: Asker) -> Task:
        """Give its disks back; one that cannot be looked at any more is forgotten."""
        view = await self._views.pool(key)
        foreseen = _retired(view)
        if foreseen.refused:
            raise Conflict("pool-not-empty", foreseen.refused, "look at the pool again then")
        check_agreement(foreseen, confirm, "")
        return await self._asked(view.known, self._work(Deed.RETIRE, view.known, by))

    async def examine(self, key: str, by: Asker) -> Task:
        """Check a thin pool's metadata; what was found, and what a repair would do, is the task's result."""
        pool = (await self._of_disks(key)).known
        return await self._asked(pool, self._work(Deed.EXAMINE, pool, by))

    async def repair(self, key: str, confirm: str | None, by: Asker) -> Task:
        """Write a thin pool's metadata anew; confirmed by the name of its volume group."""
        pool = (await self._of_disks(key)).known
        group = await self._rooms.group(pool)
        check_agreement(of_repair(group.name, ()), confirm, "")
        return await self._asked(pool, self._work(Deed.REPAIR, pool, by, group.name))

    async def retire_consequences(self, key: str) -> Consequences:
        """What it would mean to retire it."""
        return _retired(await self._views.pool(key))

    async def repair_consequences(self, key: str, steps: tuple[str, ...] = ()) -> Consequences:
        """What it would mean to repair it; ``steps`` are those that a check has told."""
        return of_repair((await self._rooms.group((await self._of_disks(key)).known)).name, steps)

    async def adopt_consequences(self, group: str) -> Consequences:
        """What it would mean to make a pool of a volume group."""
        return of_adopt((await self._group(group)).name)

    def parts_consequences(self, parts: tuple[PoolPart, ...]) -> Consequences:
        """What it would mean to make or extend a pool with these disks."""
        return of_parts(parts)

    async def _group(self, uuid: str) -> Group:
        found = [each for each in await self._views.groups() if each.uuid == uuid]
        if not found:
            text = f"there is no volume group {uuid[:48]!r} that could become a pool"
            raise NotFound("group-unknown", text, "look at the groups again", "group")
        return found[0]

    async def _of_disks(self, key: str) -> PoolView:
        view = await self._views.pool(key)
        if view.known.kind not in LVM:
            raise Conflict("pool-not-of-disks", f"{view.known.name} is not made of disks", "this is for pools of LVM")
        return view

    async def _asked(self, pool: KnownPool, work: Work) -> Task:
        task = (await self._asking.ask(pool, work)).task
        assert task is not None, "what is done to pools is long"
        return task

    async def _asked_new(self, pool: KnownPool, work: Work) -> Task:
        task = (await self._asking.ask_new(pool, work)).task
        assert task is not None, "what is done to pools is long"
        return task

    def _work(self, deed: Deed, pool: KnownPool, by: Asker, name: str = "", parts: tuple[PoolPart, ...] = ()) -> Work:
        return Work(deed, pool.id, by, self._asking.clock(), name=name, parts=parts)


def _retired(view: PoolView) -> Consequences:
    return of_retire(view.known, view.seen, view.trouble)


def _check_parts(parts: tuple[PoolPart, ...]) -> None:
    if not parts:
        raise Invalid("disks-missing", "a pool is made of one disk at least", "choose disks", "disks")


def _check_directory(place: str) -> None:
    """Nothing is made outside of the pool's own directory, so that has to be there."""
    path = Path(place)
    if not path.is_absolute() or ".." in path.parts:
        raise Invalid("pool-place", f"{place[:200]!r} is no path of a directory", "such as /srv/volumes", "place")
    if not path.is_dir():
        raise NotFound(
            "pool-place", f"there is no directory {place[:200]}", "make it, and mount its disk first", "place"
        )
