"""Every pool is looked at: mended first, told of once, given more room, and LVM's notes of it copied."""

import asyncio

import pytest
import pytest_asyncio
from pool_world import GIB, UUID, PoolWorld, group

from appliance.errors import ApplianceError
from appliance.pool import Deed, KnownPool, Work
from appliance.privileged.verbs.lvm_pools import BackUp, GrowPool
from appliance.reconcile.pool_news import FAR, NEAR
from appliance.reconcile.pool_watch import MEND_AGAIN
from appliance.storage.memory import CutOff, Memory
from appliance.store import pools
from appliance.store.store import open_store
from appliance.volume import NewVolume, PoolId, PoolKind
from tests.people import ADA

DAY = 86400.0


@pytest_asyncio.fixture
async def world(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        yield PoolWorld(store)


async def known(world, name="fast", kind=PoolKind.MEMORY, place=""):
    pool = KnownPool(PoolId(0), name, kind, place or name, world.now)
    await world.store.write(lambda db: pools.add(db, pool))
    return world.memories.setdefault(name, Memory())


async def told(world):
    return [(event.text, event.reason) for kind in ("pool.room", "pool.trouble") for event in await world.events(kind)]


async def test_it_is_mended_at_the_start_and_that_is_told(world):
    memory = await known(world)
    memory.steps_left = 1
    with pytest.raises(CutOff):
        await world.driver().create(NewVolume("00000000000000aa", "web", GIB))
    memory.steps_left = None
    await world.watch.round()
    (event,) = await world.events("pool.mended")
    assert "web" in event.text
    assert "cut off" in event.reason
    assert memory.asked.count("mend") == 1
    await world.watch.round()
    assert memory.asked.count("mend") == 1, "there is nothing to be mended any more"


async def test_filling_is_told_once_over_restarts_and_looked_at_more_often(world):
    memory = await known(world)
    await world.driver().create(NewVolume("00000000000000aa", "web", GIB))
    assert await world.watch.round() == FAR
    memory.size = 1 << 20
    memory.write("00000000000000aa", 0, bytes(900 << 10))
    assert await world.watch.round() == NEAR
    world.begin()
    await world.watch.round()
    ((text, reason),) = await told(world)
    assert text.endswith("of the room of the pool fast is used")
    assert "no snapshots" in reason
    memory.size = 1 << 30
    await world.watch.round()
    assert (await told(world))[1][0].startswith("the pool fast has room again")


async def test_a_pool_that_is_gone_is_told_of_once_and_the_others_are_looked_at(world):
    memory, other = await known(world), await known(world, "slow")
    memory.here = False
    for _ in range(3):
        await world.watch.round()
    assert [text for text, _ in await told(world)] == ["the pool fast is in trouble"]
    assert other.asked.count("look") == 3
    memory.here = True
    mended = memory.asked.count("mend")
    await world.watch.round()
    assert [text for text, _ in await told(world)] == ["the pool fast is in trouble", "the pool fast is well again"]
    assert memory.asked.count("mend") == mended + 1, "its volumes may have to be made usable again"
    await world.watch.round()
    assert memory.asked.count("mend") == mended + 1


async def test_one_volume_that_cannot_be_mended_holds_nobody_up(world):
    memory = await known(world)
    memory.refusing["mend"] = ApplianceError("storage-failed", "somebody has web open")
    async with world.at_work():
        await world.volume("other")
    await world.watch.round()
    assert memory.asked.count("mend") == 1
    world.now += MEND_AGAIN
    await world.watch.round()
    assert memory.asked.count("mend") == 1, "nothing in it is in trouble"


async def test_a_volume_in_trouble_has_its_pool_mended_again_after_a_while(world):
    memory = await known(world)
    await world.driver().create(NewVolume("00000000000000aa", "web", GIB))
    await world.watch.round()
    memory.kept["00000000000000aa"].trouble = "half made"
    await world.watch.round()
    world.now += MEND_AGAIN - 1
    await world.watch.round()
    assert memory.asked.count("mend") == 1
    world.now += 1
    await world.watch.round()
    assert memory.asked.count("mend") == 2
    assert memory.kept == {}
    assert (await told(world))[-1][0] == "a volume in fast is well again"


async def test_a_thin_pool_is_given_more_before_anybody_is_alarmed(world):
    world.helper.groups = [group(data=76.0, free=40 * GIB)]
    await known(world, kind=PoolKind.LVM_THIN, place=UUID)

    def grown(verb):
        world.helper.groups = [group(data=63.0, free=20 * GIB)]

    world.helper.answers["lvm.grow-pool"] = grown
    await world.watch.round()
    (asked,) = [each for each in world.helper.asked if isinstance(each, GrowPool)]
    assert (asked.group, asked.data, asked.metadata) == (UUID, 20 * GIB, 0)
    (event,) = await world.events("pool.grown")
    assert "20480 MiB for data" in event.text
    assert await told(world) == []


async def test_where_its_group_has_nothing_left_or_refuses_the_level_is_told(world):
    world.helper.groups = [group(data=91.0, metadata=81.0, free=40 * GIB)]
    world.helper.answers["lvm.grow-pool"] = ApplianceError("storage-failed", "lvextend said no")
    await known(world, kind=PoolKind.LVM_THIN, place=UUID)
    await world.watch.round()
    assert [text for text, _ in await told(world)] == [
        "91% of the room of the pool fast is used",
        "81% of the room to note what is whose of the pool fast is used",
    ]


async def test_notes_are_copied_once_a_day_and_again_where_that_failed(world):
    world.helper.groups = [group()]
    world.helper.answers["lvm.back-up"] = ApplianceError("storage-failed", "the disk is full")
    await known(world, kind=PoolKind.LVM_THIN, place=UUID)

    def copies():
        return [each.day for each in world.helper.asked if isinstance(each, BackUp)]

    await world.watch.round()
    assert len(copies()) == 1
    world.helper.answers.clear()
    await world.watch.round()
    await world.watch.round()
    assert len(copies()) == 2
    world.begin()
    await world.watch.round()
    assert len(copies()) == 2, "a restart copies nothing again"
    world.now += DAY
    await world.watch.round()
    assert len(set(copies())) == 2


async def test_a_missing_disk_is_told_of_and_nothing_is_given_to_such_a_pool(world):
    world.helper.groups = [group(data=99.0, free=40 * GIB, missing=True)]
    await known(world, kind=PoolKind.LVM_THIN, place=UUID)
    await world.watch.round()
    assert ("the pool fast is in trouble", "1 of its disks is missing") in await told(world)
    assert not [each for each in world.helper.asked if isinstance(each, GrowPool)]


async def test_a_pool_that_is_checked_or_repaired_is_no_news(world):
    memory = await known(world)
    await world.driver().create(NewVolume("00000000000000aa", "web", GIB))
    await world.watch.round()
    memory.kept["00000000000000aa"].trouble = "it is not active"
    pool = await world.store.read(lambda db: pools.get(db, "fast"))
    work = Work(Deed.EXAMINE, pool.id, ADA, world.now)
    work = await world.store.write(lambda db: pools.add_work(db, pool.kind, work))
    async with world.rooms.alone(pool):
        await world.watch.round()
    assert await told(world) == []
    await world.store.write(lambda db: pools.drop_work(db, work.id))
    await world.watch.round()
    assert [text for text, _ in await told(world)] == ["a volume in fast is in trouble"]


async def test_nobody_waits_for_a_pool_that_is_busy(world):
    await known(world)
    pool = await world.store.read(lambda db: pools.get(db, "fast"))
    async with asyncio.timeout(10), world.rooms.alone(pool):
        assert await world.watch.round() == FAR
