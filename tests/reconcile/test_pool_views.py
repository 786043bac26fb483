"""What changes while pools are looked at is neither lost nor there twice."""

import pytest_asyncio
from pool_world import UUID, PoolWorld, group

from appliance.pool import Deed, KnownPool, KnownVolume, Work
from appliance.store import pools
from appliance.store.store import open_store
from appliance.volume import PoolId, PoolKind, VolumeId
from tests.people import ADA

WEB = VolumeId("00000000000000aa")


@pytest_asyncio.fixture
async def world(tmp_path):
    """Two pools of LVM, with nothing in them."""
    async with open_store(tmp_path / "store.db") as store:
        found = PoolWorld(store)
        found.helper.groups = [group(), group(name="slow", uuid="B")]
        for name, place in (("fast", UUID), ("slow", "B")):
            known = KnownPool(PoolId(0), name, PoolKind.LVM_THIN, place, 5.0)
            await store.write(lambda db, known=known: pools.add(db, known))
        yield found


def while_it_reports(world, job):
    """The store changes after LVM has said what there is."""
    call = world.helper.call

    async def changing(verb, hears=None):
        said = await call(verb, hears)
        await world.store.write(job)
        return said

    world.helper.call = changing


async def in_both(world):
    """Numbers of the pools."""
    return [each.id for each in await world.store.read(pools.every)]


async def keep(world, pool):
    await world.store.write(lambda db: pools.put_volume(db, KnownVolume(WEB, pool, "web")))


async def test_what_is_made_meanwhile_is_not_lost(world):
    for pool in await in_both(world):
        while_it_reports(world, lambda db, pool=pool: pools.put_volume(db, KnownVolume(WEB, pool, "web")))
        assert [each.lost for each in await world.views.pools()] == [(), ()]


async def test_what_is_deleted_meanwhile_is_not_lost(world):
    for pool in await in_both(world):
        await keep(world, pool)
        while_it_reports(world, lambda db: pools.drop_volume(db, WEB))
        assert [each.lost for each in await world.views.pools()] == [(), ()]


async def test_what_is_being_deleted_is_not_lost(world):
    (fast, _) = await in_both(world)
    await keep(world, fast)
    work = Work(Deed.DELETE, fast, ADA, world.now, volume=WEB)
    await world.store.write(lambda db: pools.add_work(db, PoolKind.LVM_THIN, work))
    assert (await world.seen()).lost == ()


async def test_what_is_kept_and_nowhere_is_lost(world):
    for pool in await in_both(world):
        await keep(world, pool)
        lost = {view.known.id: [each.id for each in view.lost] for view in await world.views.pools()}
        assert lost.pop(pool) == [WEB]
        assert list(lost.values()) == [[]]
