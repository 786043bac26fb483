"""The volumes that disks of VMs are: chosen, made, claimed, given back, deleted."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from appliance.errors import ApplianceError, Conflict, NotFound
from appliance.pool import KnownPool, KnownVolume, Use
from appliance.reconcile.pool_rooms import Rooms
from appliance.reconcile.vms.wish import DiskWish
from appliance.store import pools
from appliance.store.store import Store
from appliance.vm import VmId
from appliance.vm_work import DiskVolume
from appliance.volume import NewVolume, Pool, Volume, VolumeId, checked, is_to_be_created, usable


class DiskVolumes:
    """``rooms`` are asked for once a VM has a disk: a computer without pools loads nothing of them."""

    def __init__(self, store: Store, clock: Callable[[], float], rooms: Callable[[], Rooms]) -> None:
        self._store, self._clock, self._rooms = store, clock, rooms

    async def chosen(self, wish: DiskWish, name: str, target: str, key: VolumeId, vm: VmId) -> DiskVolume:
        """What a disk is to be; nothing is made. ``name`` is that of its VM, ``key`` the id of a new volume.

        Raises NotFound ``pool-unknown``, ``pool-missing``, ``volume-unknown``; Conflict ``pool-none``,
        ``pool-too-small``, ``volume-taken``; Invalid ``volume-size``.
        """
        pool = await self._pool(wish.pool)
        seen = await self._rooms().driver(pool).look()
        if wish.volume:
            return await self._there(pool, seen, wish.volume, target, vm)
        plain = f"{name[:48]}-{target}"
        taken = {each.name for each in seen.volumes}
        free = plain if plain not in taken else f"{plain}-{key[:6]}"
        new = checked(NewVolume(key, free, wish.size))
        is_to_be_created(seen, new)
        return DiskVolume(key, pool.id, new.name, new.size, target)

    async def _pool(self, key: str) -> KnownPool:
        if key:
            return await self._store.read(lambda db: pools.get(db, key))
        known = await self._store.read(pools.every)
        if not known:
            raise Conflict("pool-none", "there is no pool to make its disks in", "make a pool first", "disks")
        return known[0]

    async def _there(self, pool: KnownPool, seen: Pool, which: str, target: str, vm: VmId) -> DiskVolume:
        key = next((each.id for each in seen.volumes if which in (each.id, each.name)), VolumeId(which))
        found = usable(seen, key)
        known = await self._store.read(lambda db: pools.volume(db, found.id))
        if why := _taken(found, known, vm):
            raise Conflict("volume-taken", f"{found.name} cannot be a disk: {why}", "clone it, or choose another")
        return DiskVolume(found.id, pool.id, found.name, found.size, target, made=False)

    async def provided(self, disk: DiskVolume, vm: VmId) -> Volume:
        """Made where it is not there yet, and noted as this VM's; as it is found then. Raises what its pool raises."""
        pool = await self._of(disk)
        async with self._rooms().held(pool) as on:
            if disk.made:
                await on.create(NewVolume(disk.id, disk.name, disk.size))
            found = usable(await on.look(), disk.id)
        await self._store.write(lambda db: self._claim(db, disk, vm))
        return found

    def _claim(self, db: sqlite3.Connection, disk: DiskVolume, vm: VmId) -> None:
        """Raises Conflict ``volume-taken``: somebody else was faster."""
        known = pools.volume(db, disk.id)
        if known is not None and known.use is not Use.USER and (known.use, known.of) != (Use.VM, vm):
            raise Conflict("volume-taken", f"{disk.name} belongs to another {known.use}", "choose another volume")
        created = known.created if known else self._clock()
        pools.put_volume(db, KnownVolume(disk.id, disk.pool, disk.name, Use.VM, vm, created=created))

    async def removed(self, disk: DiskVolume) -> None:
        """It is gone, with what is in it; no mistake where it is gone already. Raises what its pool raises."""
        try:
            pool = await self._of(disk)
        except NotFound:
            return  # the pool is retired: it has no volumes of ours any more
        async with self._rooms().held(pool) as on:
            await on.delete(disk.id)
        await self._store.write(lambda db: pools.drop_volume(db, disk.id))

    async def given_back(self, disk: DiskVolume, vm: VmId) -> None:
        """It stays, and is no VM's."""

        def job(db: sqlite3.Connection) -> None:
            known = pools.volume(db, disk.id)
            if known is not None and (known.use, known.of) == (Use.VM, vm):
                pools.put_volume(db, replace(known, use=Use.USER, of=""))

        await self._store.write(job)

    async def sized(self, disks: list[DiskVolume]) -> list[DiskVolume]:
        """The same with their sizes, where their pools can be asked."""
        sizes: dict[VolumeId, int] = {}
        wanted = {each.pool for each in disks}
        for pool in await self._store.read(pools.every):
            if pool.id in wanted:
                with suppress(ApplianceError):
                    seen = await self._rooms().driver(pool).look()
                    sizes |= {each.id: each.size for each in seen.volumes}
        return [replace(each, size=sizes.get(each.id, 0)) for each in disks]

    async def _of(self, disk: DiskVolume) -> KnownPool:
        pool = await self._store.read(lambda db: pools.find(db, disk.pool))
        if pool is None or pool.retired is not None:
            raise NotFound("pool-missing", f"the pool of {disk.name} is not there any more", "choose another pool")
        return pool


def _taken(volume: Volume, known: KnownVolume | None, vm: VmId) -> str:
    """Why it cannot be a disk of this VM; empty where it can."""
    if volume.read_only or (known is not None and known.golden):
        return "others are made from it, and nobody writes it"
    if known is not None and known.use is not Use.USER and (known.use, known.of) != (Use.VM, vm):
        return f"it belongs to another {known.use}"
    return "somebody has it open" if volume.in_use else ""
