"""Pools that are ours, what their volumes are for, and what is under way in them."""

from dataclasses import replace

import pytest

from appliance.errors import Conflict, NotFound
from appliance.pool import Deed, KnownPool, KnownVolume, PoolPart, Use, Work
from appliance.reconcile.pool_news import Told
from appliance.store import pools
from appliance.task import TaskId
from appliance.volume import Level, PoolId, PoolKind, VolumeId
from tests.people import ADA

FAST = KnownPool(PoolId(0), "fast", PoolKind.LVM_THIN, "uuid-1", 5.0)
WEB, OTHER = VolumeId("00000000000000aa"), VolumeId("00000000000000bb")


async def added(store, pool=FAST):
    return await store.write(lambda db: pools.add(db, pool))


async def worked(store, pool, deed, kind=PoolKind.LVM_THIN, **more):
    return await store.write(lambda db: pools.add_work(db, kind, Work(deed, pool.id, ADA, 5.0, **more)))


async def test_names_and_places_are_one_of_a_kind_among_those_in_use(store):
    fast = await added(store)
    for other, field in ((replace(FAST, place="uuid-2"), "name"), (replace(FAST, name="slow"), "place")):
        with pytest.raises(Conflict) as refused:
            await added(store, other)
        assert (refused.value.code, refused.value.field) == ("pool-taken", field)
    unmade = [await added(store, replace(FAST, name=name, place="")) for name in ("one", "two")]
    assert [each.place for each in unmade] == ["", ""], "two may be under way"
    await store.write(lambda db: pools.put(db, replace(fast, retired=9.0)))
    again = await added(store)
    assert again.id > fast.id
    assert [each.name for each in await store.read(pools.every)] == ["fast", "one", "two"]
    assert (await store.read(lambda db: pools.find(db, fast.id))).retired == 9.0
    assert await store.read(lambda db: pools.get(db, "fast")) == again
    assert await store.read(lambda db: pools.get(db, str(again.id))) == again
    with pytest.raises(NotFound):
        await store.read(lambda db: pools.get(db, str(fast.id)))


async def test_a_pool_with_the_name_of_another_ones_number_is_found_by_its_name(store):
    one = await added(store)
    odd = await added(store, replace(FAST, name=str(one.id), place="uuid-2"))
    assert await store.read(lambda db: pools.get(db, str(one.id))) == odd


async def test_what_volumes_are_for_goes_with_their_pool(store):
    fast = await added(store)
    web = KnownVolume(WEB, fast.id, "web", Use.DEPLOYMENT, "7", golden=True, created=5.0)
    await store.write(lambda db: pools.put_volume(db, web))
    assert await store.read(lambda db: pools.volumes(db, fast.id)) == {WEB: web}
    assert await store.read(lambda db: pools.volumes_of(db, Use.DEPLOYMENT, "7")) == [web]
    assert await store.read(lambda db: pools.volumes_of(db, Use.IMAGE, "7")) == []
    await store.write(lambda db: pools.delete(db, fast.id))
    assert await store.read(lambda db: pools.volume(db, WEB)) is None


async def test_work_comes_back_whole_and_is_found_by_its_task(store):
    fast = await added(store)
    made = await worked(store, fast, Deed.MAKE, parts=(PoolPart("B", "p", ("ext4",)),), task=TaskId(3))
    assert await store.read(lambda db: pools.work(db, made.id)) == made
    assert await store.read(lambda db: pools.work_of_task(db, TaskId(3))) == made
    assert await store.read(pools.stray_works) == [made], "there is no such task"
    await store.write(lambda db: pools.drop_work(db, made.id))
    assert await store.read(lambda db: pools.works(db, fast.id)) == []


@pytest.mark.parametrize(
    ("kind", "first", "second", "code"),
    [
        (PoolKind.LVM_THIN, (Deed.GROW, WEB), (Deed.RENAME, WEB), "volume-busy"),
        (PoolKind.LVM_THIN, (Deed.GROW, WEB), (Deed.RENAME, OTHER), ""),
        (PoolKind.LVM_THIN, (Deed.CLONE, OTHER, WEB), (Deed.DELETE, WEB), "volume-busy"),
        (PoolKind.LVM_THIN, (Deed.DELETE, WEB), (Deed.CLONE, OTHER, WEB), "volume-busy"),
        (PoolKind.LVM_THIN, (Deed.CLONE, OTHER, WEB), (Deed.CLONE, VolumeId("c" * 16), WEB), ""),
        (PoolKind.LVM_THICK, (Deed.CREATE, WEB), (Deed.RENAME, OTHER), ""),
        (PoolKind.LVM_THICK, (Deed.CLONE, OTHER, WEB), (Deed.RENAME, WEB), "volume-busy"),
        (PoolKind.LVM_THICK, (Deed.FILL, WEB), (Deed.DELETE, OTHER), ""),
        (PoolKind.LVM_THICK, (Deed.FILL, WEB), (Deed.RETIRE, None), "pool-busy"),
        (PoolKind.LVM_THICK, (Deed.GROW, WEB), (Deed.RENAME, OTHER), "pool-busy"),
        (PoolKind.LVM_THICK, (Deed.ROLL_BACK, WEB), (Deed.RENAME, OTHER), "pool-busy"),
        (PoolKind.DIRECTORY, (Deed.CLONE, OTHER, WEB), (Deed.RENAME, WEB), "volume-busy"),
        (PoolKind.DIRECTORY, (Deed.CLONE, VolumeId("c" * 16), WEB), (Deed.RENAME, OTHER), "pool-busy"),
        (PoolKind.LVM_THICK, (Deed.CREATE, WEB), (Deed.CREATE, OTHER), ""),
        (PoolKind.LVM_THIN, (Deed.GROW, WEB), (Deed.RETIRE, None), "pool-busy"),
        (PoolKind.LVM_THIN, (Deed.EXTEND, None), (Deed.GROW, WEB), "pool-busy"),
    ],
)
async def test_what_may_be_under_way_side_by_side(store, kind, first, second, code):
    fast = await added(store)

    async def begin(deed, volume=None, source=None):
        return await worked(store, fast, deed, kind, volume=volume, source=source)

    await begin(*first)
    if not code:
        await begin(*second)
        return
    with pytest.raises(Conflict) as refused:
        await begin(*second)
    assert refused.value.code == code


async def test_what_was_told_is_kept(store):
    fast = await added(store)
    told = Told(Level.ALERT, trouble="x", volumes={WEB: "y"}, copied="2026-11-22")
    assert await store.read(lambda db: pools.told(db, fast.id, Told)) is None
    await store.write(lambda db: pools.put_told(db, fast.id, told))
    assert await store.read(lambda db: pools.told(db, fast.id, Told)) == told


async def test_a_description_names_nobody(store):
    fast = await added(store)
    await worked(store, fast, Deed.GROW, volume=WEB)
    found = await store.read(pools.described)
    assert [each.name for each in found["pools"]] == ["fast"]
    assert "ada" not in str(found)
    assert found["work"][0]["deed"] == "volume.grow"
