"""Pools are made, adopted, extended, checked, repaired and retired, as tasks that survive a kill."""

import pytest
import pytest_asyncio
from pool_world import GIB, UUID, PoolWorld, group

from appliance.backup.overtaken import end_overtaken
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.pool import PoolPart
from appliance.privileged.verb import Done
from appliance.privileged.verbs.lvm_pools import Adopt, ExtendPool, GrowPool, MakePool, Part, Retire
from appliance.privileged.verbs.lvm_repair import Examined, Repair
from appliance.reconcile import pool_deeds
from appliance.reconcile.pool_wishes import PoolWish
from appliance.reconcile.record import record
from appliance.reconcile.volume_wishes import VolumeWish
from appliance.storage.memory import CutOff
from appliance.store import pools
from appliance.store.store import open_store
from appliance.task import Status, prospect
from appliance.volume import PoolKind
from tests.people import ADA

DISK = PoolPart("B", holds=("ext4 'old'",))
THIN = PoolWish("fast", PoolKind.LVM_THIN, parts=(DISK,))


@pytest_asyncio.fixture
async def world(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        yield PoolWorld(store)


def makes(world, **more):
    """The helper makes the group; asked once more it finds it made."""

    def made(_):
        world.helper.groups = [group(**more)]
        return Done()

    world.helper.answers["lvm.make-pool"] = made


async def have(world):
    """A pool of LVM."""
    makes(world)
    await world.ended(await world.pools.make(THIN, "B", ADA))


async def test_a_pool_is_made_of_disks_once_it_was_agreed_what_is_lost(world):
    makes(world)
    foreseen = world.pools.parts_consequences((DISK,))
    assert (foreseen.texts, foreseen.confirm) == (("All that is on B is lost: ext4 'old'.",), "B")
    with pytest.raises(Conflict) as refused:
        await world.pools.make(THIN, None, ADA)
    assert refused.value.code == "confirmation-needed"
    assert world.pools.parts_consequences((PoolPart("C"),)).confirm is None
    async with world.at_work():
        task = await world.pools.make(THIN, foreseen.confirm, ADA)
        assert not prospect(task, None).possible
        after = await world.ended(task)
    assert (after.status, after.title) == (Status.DONE, "Making the pool fast")
    assert world.helper.asked == [MakePool("fast", (Part("B", holds=("ext4 'old'",)),), True)]
    (known,) = await world.store.read(pools.every)
    assert (known.name, known.place, known.kind) == ("fast", UUID, PoolKind.LVM_THIN)
    assert after.result == {"pool": known.id}
    (entry,) = await world.audited("pool.make")
    assert entry.after["disks"] == [{"disk": "B", "partition": "", "holds": ["ext4 'old'"]}]
    assert [event.text for event in await world.events("pool.changed")] == ["ada made the pool fast"]
    assert (await world.seen()).seen.data.total == 100 * GIB


async def test_what_the_helper_refuses_leaves_no_pool_and_says_why(world):
    world.helper.answers["lvm.make-pool"] = Conflict("disk-changed", "there is something else on B now")
    async with world.at_work():
        after = await world.ended(await world.pools.make(THIN, "B", ADA))
    assert (after.status, after.code) == (Status.FAILED, "disk-changed")
    assert await world.store.read(pools.every) == []
    assert await world.works() == []
    (event,) = await world.events("pool.changed")
    assert (event.text, event.reason) == ("Making the pool fast: failed", "there is something else on B now")


@pytest.mark.parametrize("noted", [False, True])
async def test_killed_while_a_pool_was_made_the_next_daemon_goes_on(world, noted, monkeypatch):
    """Before the group was there, and when it was there and not noted."""
    makes(world)
    recorded = pool_deeds.record

    async def killed(*_):
        raise CutOff

    if noted:
        monkeypatch.setattr(pool_deeds, "record", killed)
    else:
        world.helper.answers["lvm.make-pool"] = CutOff()
    cut = False
    try:
        async with world.at_work():
            task = await world.pools.make(THIN, "B", ADA)
            await world.ended(task)
    except* CutOff:
        cut = True
    assert cut
    monkeypatch.setattr(pool_deeds, "record", recorded)
    makes(world)
    world.begin()
    async with world.at_work():
        assert (await world.ended(task)).status is Status.DONE
    assert [each.place for each in await world.store.read(pools.every)] == [UUID]
    assert len(await world.audited("pool.make")) == 1
    assert await world.works() == []


async def test_while_it_is_made_nothing_is_in_it_and_its_name_is_taken(world):
    await world.pools.make(THIN, "B", ADA)
    view = await world.seen()
    assert (view.seen, view.trouble) == (None, "fast is not made yet")
    with pytest.raises(Conflict, match="another pool"):
        await world.pools.make(THIN, "B", ADA)
    with pytest.raises(Conflict) as refused:
        await world.volumes.create("fast", VolumeWish("web", GIB), ADA)
    assert refused.value.code == "pool-busy"
    assert await world.watch.round() > 0


async def test_a_group_that_is_there_is_adopted_and_is_what_it_is(world):
    world.helper.groups = [group(name="old", tags=())]
    (found,) = await world.views.groups()
    assert found.name == "old"
    assert (await world.pools.adopt_consequences(UUID)).confirm == "old"
    with pytest.raises(Conflict):
        await world.pools.adopt(UUID, "fast", None, ADA)
    async with world.at_work():
        assert (await world.ended(await world.pools.adopt(UUID, "fast", "old", ADA, thin=False))).status is Status.DONE
    assert world.helper.asked == [Adopt(UUID, "old", False)]
    (known,) = await world.store.read(pools.every)
    assert known.kind is PoolKind.LVM_THIN, "it has a thin pool already"
    assert await world.views.groups() == []
    with pytest.raises(NotFound):
        await world.pools.adopt(UUID, "again", "old", ADA)


async def test_it_is_extended_and_gets_most_of_the_new_disk(world):
    async with world.at_work():
        await have(world)
        world.helper.groups = [group(free=64 * GIB)]
        await world.ended(await world.pools.extend("fast", PoolPart("C"), None, ADA))
    extended, grown = world.helper.asked[1:]
    assert extended == ExtendPool(UUID, Part("C"))
    assert isinstance(grown, GrowPool)
    assert grown.data == 60 * GIB
    assert grown.metadata > 0


async def test_it_is_retired_empty_and_by_name_only(world):
    async with world.at_work():
        await have(world)
        assert (await world.pools.retire_consequences("fast")).confirm == "fast"
        with pytest.raises(Conflict):
            await world.pools.retire("fast", None, ADA)
        await world.ended(await world.pools.retire("fast", "fast", ADA))
    assert world.helper.asked[-1] == Retire(UUID, "fast")
    assert await world.store.read(pools.every) == []
    makes(world)
    async with world.at_work():
        await world.ended(await world.pools.make(THIN, "B", ADA))


async def test_one_with_volumes_is_not_retired(world):
    async with world.at_work():
        await world.made()
        await world.volume("web")
        foreseen = await world.pools.retire_consequences("fast")
        assert "web" in foreseen.refused
        with pytest.raises(Conflict) as refused:
            await world.pools.retire("fast", "fast", ADA)
        assert refused.value.code == "pool-not-empty"


async def test_one_whose_disks_are_gone_is_forgotten_and_nothing_is_touched(world):
    async with world.at_work():
        await have(world)
        world.helper.groups = []
        assert "Nothing on its disks is touched" in (await world.pools.retire_consequences("fast")).texts[1]
        await world.ended(await world.pools.retire("fast", "fast", ADA))
    assert not [each for each in world.helper.asked if isinstance(each, Retire)]
    assert await world.store.read(pools.every) == []


async def test_it_is_checked_and_repaired_by_name(world):
    world.helper.answers["lvm.examine"] = Examined(False, "bad block", ("make a copy", "write anew"))
    async with world.at_work():
        await have(world)
        found = (await world.ended(await world.pools.examine("fast", ADA))).result
        assert (found["sound"], found["steps"]) == (False, ["make a copy", "write anew"])
        foreseen = await world.pools.repair_consequences("fast", tuple(found["steps"]))
        assert "write anew" in foreseen.texts
        with pytest.raises(Conflict):
            await world.pools.repair("fast", "", ADA)
        await world.ended(await world.pools.repair("fast", "fast", ADA))
    assert world.helper.asked[-1] == Repair(UUID, "fast")


async def test_a_directory_is_made_a_pool(world, tmp_path):
    place = tmp_path / "pool"
    for wrong in ("volumes", "/srv/../etc", ""):
        with pytest.raises(Invalid):
            await world.pools.make(PoolWish("files", PoolKind.DIRECTORY, wrong), None, ADA)
    with pytest.raises(NotFound):
        await world.pools.make(PoolWish("files", PoolKind.DIRECTORY, str(place)), None, ADA)
    place.mkdir()
    async with world.at_work():
        made = await world.ended(await world.pools.make(PoolWish("files", PoolKind.DIRECTORY, str(place)), None, ADA))
        assert made.status is Status.DONE, made.reason
        await world.volume("web", 8 << 20, "files")
        done = await world.volumes.snapshot("files", "web", VolumeWish("monday"), ADA)
        assert (await world.ended(done.task)).status is Status.DONE
        with pytest.raises(Conflict, match="is the pool files already"):
            await world.pools.make(PoolWish("again", PoolKind.DIRECTORY, str(place)), None, ADA)
    assert [each.volume.name for each in (await world.seen("files")).volumes] == ["monday", "web"]


@pytest.mark.parametrize("name", ["", "../x", "a b", "x" * 64, "-a", "7"])
async def test_names_that_no_pool_can_have(world, name):
    with pytest.raises(Invalid) as refused:
        await world.pools.make(PoolWish(name, PoolKind.LVM_THIN, parts=(PoolPart("B"),)), None, ADA)
    assert refused.value.code == "pool-name"


async def test_what_was_under_way_in_a_backup_is_not_done_once_more(world):
    async with world.at_work():
        await world.made()
        await world.volume("web")
        await world.volumes.snapshot("fast", "web", VolumeWish("monday"), ADA)
    world.memories["fast"].refusing["roll_back"] = CutOff()
    try:
        async with world.at_work():
            await world.volumes.roll_back("fast", "web", "monday", "web", ADA)
    except* CutOff:
        world.memories["fast"].refusing.clear()
    assert len(await world.works()) == 1
    await record(world.store, world.bus, lambda db, tell: end_overtaken(db, tell, "it was restored", world.now))
    assert await world.works() == []
    asked = list(world.memories["fast"].asked)
    world.begin()
    async with world.at_work():
        await world.volume("other")
    assert "roll_back" not in world.memories["fast"].asked[len(asked) :]
    assert "it was restored" in [event.reason for event in await world.events("volume.changed")]


async def test_a_task_that_ended_before_it_came_to_its_work_leaves_none(world):
    task = await world.pools.make(THIN, "B", ADA)
    await world.store.write(lambda db: db.execute("UPDATE tasks SET ended = 5 WHERE id = ?", (task.id,)).rowcount)
    await world.watch.round()
    assert await world.works() == []
    assert await world.store.read(pools.every) == []


async def test_a_helper_that_is_down_is_no_pool_without_groups(world):
    async def down(*_):
        raise ApplianceError("helper-down", "it does not run")

    world.helper.call = down
    with pytest.raises(ApplianceError, match="does not run"):
        await world.views.groups()

    async def missing(*_):
        raise ApplianceError("helper-missing", "no appliance")

    world.helper.call = missing
    assert await world.views.groups() == []
