"""While a root volume is made: how far it is, and what becomes of it when somebody cancels it, or its time is over."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from fleet_world import Played, state
from root_world import a_root_world

from appliance.reconcile.consequences import Action
from appliance.workflow import PROVIDE, STEPS
from tests.people import ADA


@pytest.fixture
async def world(tmp_path, monkeypatch):
    monkeypatch.setattr("appliance.reconcile.root_volumes.loop.TELL_SECONDS", 0)
    async with a_root_world(tmp_path) as made:
        made.delivery = "nfs"
        yield made


@pytest.fixture
def node(world):
    return Played(world, disks=[])


class Slow:
    """A golden volume that is not finished before somebody says so."""

    def __init__(self, world):
        self.world, self.begun, self.may_end, self.cancelled = world, asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def golden(self, image, pool, hears):
        hears(0.25, f"filling {image.name}")
        self.begun.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return await self.world.golden(image, pool, hears)


@asynccontextmanager
async def at_work(world):
    """The loop runs, as it does in the daemon."""
    slow = Slow(world)
    world.steps._goldens = slow.golden
    async with asyncio.TaskGroup() as group:
        running = group.create_task(world.roots.run())
        yield slow
        running.cancel()


async def asks(world, action):
    """A wish, without the turn of the loop that a played world gives itself."""
    foreseen = await world.wishes.consequences("web-1", Action(action))
    task = await world.wishes.act("web-1", Action(action), foreseen.confirm, ADA, foreseen.content)
    await world.loop.round()
    return task.id


async def starts(world, node, slow):
    await node.usable()
    await world.deploy(image="live", delivery=world.delivery)
    task = await asks(world, "start")
    async with asyncio.timeout(20):
        await slow.begun.wait()
    return task


async def eventually(condition):
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0)


async def test_how_far_it_is_is_stored_and_nobody_takes_it_for_a_sign_of_the_machine(world, node):
    async with at_work(world) as slow:
        await starts(world, node, slow)
        seen = (await node.attempt()).step_seen
        world.now += 100

        async def told():
            return (await node.attempt()).progress == 0.25

        await eventually(told)
        attempt = await node.attempt()
        assert (attempt.step.name, attempt.message, attempt.step_seen) == (PROVIDE, "filling live", seen)
        slow.may_end.set()

        async def exported():
            return len(world.kernel.exports) == 1 and (await node.attempt()).step.name == "configure"

        await eventually(exported)


async def test_who_cancels_it_ends_it_and_a_release_leaves_nothing(world, node):
    async with at_work(world) as slow:
        task = await starts(world, node, slow)
        await world.wishes.cancel_task(str(task), ADA)
        async with asyncio.timeout(20):
            await slow.cancelled.wait()
        assert await state(node) == "failed"
        assert world.volumes == []
        await asks(world, "release")

        async def idle():
            return await state(node) == "idle"

        await eventually(idle)
        assert await world.rows() == []


async def test_it_has_its_time_and_no_more(world, node):
    async with at_work(world) as slow:
        await starts(world, node, slow)
        await world.passes(STEPS[PROVIDE].limit + 1)
        async with asyncio.timeout(20):
            await slow.cancelled.wait()
        assert (await node.seen()).failed_code == "step-limit"
