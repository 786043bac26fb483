"""A daemon that is killed anywhere in the middle of a change: the next one finishes it, once, and leaves nothing."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from pool_world import GIB, PoolWorld

from appliance import pool as words
from appliance.pool import Deed
from appliance.reconcile import pool_work
from appliance.reconcile.volume_wishes import VolumeWish
from appliance.storage.memory import CutOff
from appliance.store.store import open_store
from appliance.volume import PoolKind
from tests.people import ADA

DEEDS = {
    "create": lambda volumes: volumes.create("fast", VolumeWish("new", GIB), ADA),
    "snapshot": lambda volumes: volumes.snapshot("fast", "web", VolumeWish("new"), ADA),
    "clone": lambda volumes: volumes.clone("fast", "web", VolumeWish("new", 2 * GIB), ADA),
    "grow": lambda volumes: volumes.grow("fast", "web", 3 * GIB, ADA),
    "rename": lambda volumes: volumes.rename("fast", "web", "new", ADA),
    "roll-back": lambda volumes: volumes.roll_back("fast", "web", "monday", "web", ADA),
    "delete": lambda volumes: volumes.delete("fast", "web", "web", ADA),
}
WHOLE = {
    "create": {"web": GIB, "monday": GIB, "new": GIB},
    "snapshot": {"web": GIB, "monday": GIB, "new": GIB},
    "clone": {"web": GIB, "monday": GIB, "new": 2 * GIB},
    "grow": {"web": 3 * GIB, "monday": GIB},
    "rename": {"new": GIB, "monday": GIB},
    "roll-back": {"web": GIB, "monday": GIB},
    "delete": {"monday": GIB},
}
STEPS = {"create": 2, "snapshot": 3, "clone": 3, "grow": 1, "rename": 1, "roll-back": 2, "delete": 2}
"""Of the driver, each of which it may be killed before."""


@pytest_asyncio.fixture
async def world(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        found = PoolWorld(store)
        async with found.at_work():
            memory = await found.made()
            web = await found.volume("web")
            memory.write(web, 0, b"kept")
            await found.volumes.snapshot("fast", "web", VolumeWish("monday"), ADA)
            memory.write(web, 0, b"lost")
        yield found


async def killed_in(world, deed):
    """Ask for it, and let the daemon be killed wherever it is; False where it came to its end before."""
    killed = False
    async with asyncio.timeout(20):
        try:
            async with world.at_work():
                done = await DEEDS[deed](world.volumes)
                if done.task:
                    await world.ended(done.task)
        except* CutOff:
            killed = True
    return killed


@asynccontextmanager
async def started_again(world):
    world.begin()
    for memory in world.memories.values():
        memory.steps_left = None
    async with world.at_work():
        yield


async def settled(world):
    async with asyncio.timeout(20):
        while await world.works():
            await asyncio.sleep(0.01)


async def finished(world, deed):
    """The next daemon has done what was asked for, exactly as if nobody had been killed."""
    async with started_again(world):
        await settled(world)
        view = await world.seen()
    assert {each.volume.name: each.volume.size for each in view.volumes} == WHOLE[deed]
    assert [each.volume.trouble for each in view.volumes if each.volume.trouble] == []
    assert {each.name for each in view.kept.values()} == set(WHOLE[deed])
    assert len(await world.audited(f"volume.{deed}")) == (2 if deed in ("create", "snapshot") else 1)
    if deed == "roll-back":
        assert world.memories["fast"].read(view.volume("web").volume.id, 0, 4) == b"kept"


@pytest.mark.parametrize("slow", [False, True], ids=["at once", "as a task"])
@pytest.mark.parametrize("steps", range(3))
@pytest.mark.parametrize("deed", DEEDS)
async def test_killed_between_two_steps_of_the_driver(world, deed, steps, slow, monkeypatch):
    if slow:
        monkeypatch.setitem(words._LONG, PoolKind.MEMORY, frozenset(Deed))
    world.begin()
    world.memories["fast"].steps_left = steps
    if steps < STEPS[deed]:
        assert await killed_in(world, deed)
        assert len(await world.works()) == 1, "it is not forgotten"
    else:
        assert not await killed_in(world, deed), "the test knows its steps"
    await finished(world, deed)


@pytest.mark.parametrize("deed", DEEDS)
async def test_killed_after_the_driver_and_before_it_was_noted(world, deed, monkeypatch):
    recorded = pool_work.record

    async def killed(*_):
        raise CutOff

    world.begin()
    monkeypatch.setattr(pool_work, "record", killed)
    assert await killed_in(world, deed)
    assert len(await world.works()) == 1
    monkeypatch.setattr(pool_work, "record", recorded)
    await finished(world, deed)
