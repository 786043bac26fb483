"""What is asked of volumes is done, noted and told; at once where that is quick, as a task where it is not."""

import asyncio
from dataclasses import replace

import pytest
import pytest_asyncio
from pool_world import GIB, PoolWorld

from appliance import pool as words
from appliance.errors import ApplianceError, Conflict, NotFound
from appliance.pool import MAKING, Deed, Use, Work
from appliance.reconcile.volume_wishes import VolumeWish
from appliance.storage import build
from appliance.storage.memory import MemoryPool, _Kept
from appliance.store import pools, tasks
from appliance.store.store import open_store
from appliance.task import Status, prospect
from appliance.volume import NewVolume, PoolKind
from tests.people import ADA, SOMEBODY


@pytest_asyncio.fixture
async def world(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        found = PoolWorld(store)
        async with found.at_work():
            await found.made()
            yield found


@pytest.fixture
def long(monkeypatch):
    """Pools of memory are as slow as thick ones."""
    monkeypatch.setitem(words._LONG, PoolKind.MEMORY, MAKING | {Deed.GROW, Deed.ROLL_BACK})


def names(view):
    return [each.volume.name for each in view.volumes]


async def test_the_life_of_a_volume(world):
    web = await world.volume("web", use=Use.IMAGE, of="7", golden=True)
    snap = (await world.volumes.snapshot("fast", "web", VolumeWish("monday"), ADA)).volume
    clone = (
        await world.volumes.clone("fast", web, VolumeWish("customer1", reason="deployment 3 wants it"), ADA)
    ).volume
    await world.volumes.grow("fast", "customer1", 2 * GIB, ADA)
    await world.volumes.rename("fast", "customer1", "customer2", SOMEBODY)
    await world.volumes.roll_back("fast", "web", "monday", "web", ADA)
    view = await world.seen()
    assert names(view) == ["customer2", "monday", "web"]
    assert [each.volume.size for each in view.volumes] == [2 * GIB, GIB, GIB]
    assert (view.volume("web").known.use, view.volume("web").known.golden) == (Use.IMAGE, True)
    assert view.volume(snap).volume.read_only
    assert await world.store.read(lambda db: pools.volumes_of(db, Use.IMAGE, "7")) == [view.volume("web").known]
    await world.volumes.delete("fast", clone, "customer2", ADA)
    assert names(await world.seen()) == ["monday", "web"]
    told = await world.events("volume.changed")
    assert [event.text for event in told] == [
        "ada made the volume web in fast",
        "ada made the snapshot monday of web in fast",
        "ada cloned web as customer1 in fast",
        "ada grew customer1 in fast",
        "somebody renamed customer1 in fast to customer2",
        "ada rolled web in fast back to monday",
        "ada deleted customer2 in fast",
    ]
    assert told[2].reason == "deployment 3 wants it"
    assert (await world.audited("volume.grow"))[0].before == {"size": GIB}
    assert (await world.audited("volume.delete"))[0].before["name"] == "customer2"
    assert await world.works() == []


async def test_what_destroys_is_confirmed_by_name_once_it_was_said_what_is_lost(world):
    await world.volume("web")
    await world.volumes.snapshot("fast", "web", VolumeWish("monday"), ADA)
    foreseen = await world.volumes.delete_consequences("fast", "web")
    assert (foreseen.confirm, foreseen.destroys) == ("web", True)
    assert "1.0 GiB" in foreseen.texts[0]
    assert "monday" in foreseen.texts[1]
    for confirm in (None, "monday", "WEB"):
        with pytest.raises(Conflict) as refused:
            await world.volumes.delete("fast", "web", confirm, ADA)
        assert refused.value.code == "confirmation-needed"
        with pytest.raises(Conflict) as refused:
            await world.volumes.roll_back("fast", "web", "monday", confirm, ADA)
        assert refused.value.code == "confirmation-needed"
    assert "delete" not in " ".join(world.memories["fast"].asked)
    assert (await world.volumes.roll_back_consequences("fast", "monday", "web")).refused


async def test_golden_ones_and_those_in_use_stay(world):
    web = await world.volume("web", golden=True)
    with pytest.raises(Conflict, match="golden"):
        await world.volumes.delete("fast", "web", "web", ADA)
    await world.volumes.mark("fast", "web", ADA, golden=False)
    assert (await world.audited("volume.mark"))[0].after == {"golden": False}
    world.memories["fast"].opened.add(web)
    with pytest.raises(Conflict, match="open"):
        await world.volumes.delete("fast", "web", "web", ADA)
    world.memories["fast"].opened.clear()
    await world.volumes.delete("fast", "web", "web", ADA)


async def test_a_refusal_is_heard_by_who_asked_and_by_nobody_else(world):
    await world.volume("web")
    before = len(await world.events("volume.changed"))
    for wish, code in ((VolumeWish("web", GIB), "name-taken"), (VolumeWish("big", 1 << 49), "pool-too-small")):
        with pytest.raises(Conflict) as refused:
            await world.volumes.create("fast", wish, ADA)
        assert refused.value.code == code
    with pytest.raises(NotFound):
        await world.volumes.clone("fast", "nobody", VolumeWish("x"), ADA)
    assert len(await world.events("volume.changed")) == before
    assert await world.works() == []


async def test_a_failure_of_the_pool_is_told_with_its_reason(world):
    world.memories["fast"].refusing["create"] = ApplianceError("storage-failed", "the disk does not answer")
    with pytest.raises(ApplianceError, match="does not answer"):
        await world.volume("web")
    told = (await world.events("volume.changed"))[-1]
    assert (told.text, told.reason) == ("Making the volume web in fast: failed", "the disk does not answer")
    assert told.detail["pool_name"] == "fast"
    assert await world.works() == []
    assert await world.audited("volume.create") == []


@pytest.mark.parametrize("deed", [Deed.SNAPSHOT, Deed.CLONE, Deed.ROLL_BACK])
async def test_what_does_not_say_where_its_content_comes_from_is_not_taken_for_done(world, deed):
    web = await world.volume("web")
    work = Work(deed, (await world.seen()).known.id, ADA, world.now, volume=web, name="web")
    stored = await world.store.write(lambda db: pools.add_work(db, PoolKind.MEMORY, work))
    with pytest.raises(NotFound, match="gets its content from") as refused:
        await world.work.do(stored)
    assert refused.value.code == "volume-unknown"
    assert await world.works() == []
    assert await world.audited(deed) == []


async def test_it_goes_on_when_who_asked_has_gone(world, monkeypatch):
    let_go, at_it = asyncio.Event(), asyncio.Event()
    create = MemoryPool.create

    async def slow(self, new):
        at_it.set()
        await let_go.wait()
        await create(self, new)

    monkeypatch.setattr(MemoryPool, "create", slow)
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(world.volume("web"))
        await at_it.wait()
        asking.cancel()
    with world.bus.subscribe() as subscription:
        let_go.set()
        async with asyncio.timeout(20):
            while (await subscription.get()).kind != "volume.changed":
                continue
    assert names(await world.seen()) == ["web"]


async def test_what_is_long_is_a_task_with_its_result(world, long):
    done = await world.volumes.create("fast", VolumeWish("web", GIB), ADA)
    after = await world.ended(done.task)
    assert (after.status, after.kind, after.owner) == (Status.DONE, "volume.create", "ada")
    assert after.result["volume"] == done.volume
    assert names(await world.seen()) == ["web"]
    with pytest.raises(Conflict) as refused:
        await world.volumes.create("fast", VolumeWish("web", GIB), ADA)
    assert refused.value.code == "name-taken", "said at once, and not by a task that fails"


class Slow(MemoryPool):
    """Copies until it is stopped; the half of it that is there by then stays."""

    def __init__(self, memory, hears):
        super().__init__(memory, lambda: 5.0)
        self.hears = hears

    async def copy(self, origin, new):
        self._memory.kept[new.id] = _Kept(new, origin, 5.0)
        self.hears(0.4, "copying")
        await asyncio.Event().wait()


async def test_a_copy_tells_how_far_it_is_and_is_cancelled(world, long, monkeypatch):
    await world.ended((await world.volumes.create("fast", VolumeWish("web", GIB), ADA)).task)
    slow = {PoolKind.MEMORY: lambda place, on, hears, _: Slow(on.memory(place), hears)}
    monkeypatch.setattr(build, "DRIVERS", slow)
    monkeypatch.setattr("appliance.reconcile.pool_jobs.HEAR_EVERY", 0.01)
    done = await world.volumes.clone("fast", "web", VolumeWish("copy"), ADA)
    async with asyncio.timeout(20):
        while not (found := await world.store.read(lambda db: tasks.get(db, done.task.id))).message:
            world.now += 2
            await asyncio.sleep(0.01)
    assert (found.progress, found.message) == (0.4, "copying")
    with pytest.raises(Conflict) as refused:
        await world.volumes.rename("fast", "web", "other", ADA)
    assert refused.value.code == "volume-busy"
    assert prospect(found, None).text == "What there is of the new volume is removed."
    await world.store.write(lambda db: tasks.put(db, replace(found, cancelled_by="bob")))
    async with asyncio.timeout(20):
        while (after := await world.store.read(lambda db: tasks.get(db, done.task.id))).open:
            world.now += 2
            await asyncio.sleep(0.01)
    assert after.status is Status.CANCELLED
    assert names(await world.seen()) == ["web"]
    assert await world.works() == []
    assert (await world.events("volume.changed"))[-1].text == "Cloning a volume as copy in fast: given up"


async def test_while_something_long_goes_on_in_a_pool_nothing_quick_waits_for_it(world, monkeypatch):
    monkeypatch.setitem(words._LONG, PoolKind.MEMORY, frozenset({Deed.CLONE}))
    await world.volume("web")
    slow = {PoolKind.MEMORY: lambda place, on, hears, _: Slow(on.memory(place), hears)}
    monkeypatch.setattr(build, "DRIVERS", slow)
    done = await world.volumes.clone("fast", "web", VolumeWish("copy"), ADA)
    with pytest.raises(Conflict) as refused:
        await world.volumes.create("fast", VolumeWish("other", GIB), ADA)
    assert refused.value.code == "pool-busy"
    assert f"task {done.task.id}" in refused.value.message


async def test_one_that_is_gone_from_its_pool_is_shown_and_forgotten(world):
    web = await world.volume("web")
    world.memories["fast"].kept.pop(web)
    view = await world.seen()
    assert [each.name for each in view.lost] == ["web"]
    assert "not in its pool" in (await world.volumes.delete_consequences("fast", "web")).texts[0]
    await world.volumes.delete("fast", "web", "web", ADA)
    assert (await world.seen()).lost == ()


async def test_what_was_in_the_pool_before_can_be_marked(world):
    await world.driver().create(NewVolume("00000000000000aa", "old", GIB))
    view = await world.seen()
    assert view.volume("old").known.use is Use.USER
    await world.volumes.mark("fast", "old", ADA, use=Use.VM, of="3")
    assert (await world.seen()).volume("old").known.of == "3"


async def test_asked_before_anybody_works_it_is_done_once_and_its_refusal_is_heard(world):
    await world.volume("web")
    world.begin()
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(refused_or_done(world, name)) for name in ("new", "web")]
        async with asyncio.timeout(20):
            while len(await world.works()) < 2:
                await asyncio.sleep(0.01)
        async with world.at_work():
            await asyncio.wait(asked, timeout=20)
    assert [each.result() for each in asked] == ["done", "name-taken"]
    assert world.memories["fast"].asked.count("create") == 3
    assert len(await world.audited("volume.create")) == 2


async def refused_or_done(world, name):
    try:
        await world.volume(name)
    except Conflict as error:
        return error.code
    return "done"
