"""One order for many VMs: each gets it by itself, and the task says what became of each."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from vm_world import THEIRS, VmWorld, vm

from appliance.errors import Conflict, Invalid
from appliance.reconcile.jobs import Jobs
from appliance.reconcile.vm_bulk import begin, job_kinds
from appliance.store import tasks
from appliance.store.store import open_store
from appliance.store.tasks import Item
from appliance.vm import VmState
from tests.people import ADA


@pytest_asyncio.fixture
async def world(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        yield VmWorld(store)


@asynccontextmanager
async def working(world):
    jobs = Jobs(world.store, world.bus, world.clock, job_kinds(lambda: world.vms, world.clock))
    async with asyncio.TaskGroup() as group:
        loop = group.create_task(jobs.run())
        yield
        loop.cancel()


def item(of):
    return Item(of.id, of.name, "waiting")


async def ask(world, action, of, confirm=None):
    return await begin(world.store, world.bus, action, [item(each) for each in of], confirm, ADA, world.now)


async def became(world, task):
    found = await world.store.read(lambda db: tasks.items(db, task.id))
    return [(each.name, each.status, each.code) for each in found]


async def test_each_gets_the_order_by_itself(world):
    await world.host()
    web, db = world.put("one", vm(1, "web")), world.put("one", vm(2, "db"))
    theirs, gone = world.put("one", vm(3, "theirs"), owner=THEIRS), vm(4, "gone")
    async with working(world):
        task = await world.ended(await ask(world, "start", [web, theirs, gone, db]))
    assert (task.status, task.code) == ("failed", "items-failed")
    assert await became(world, task) == [
        ("web", "done", ""), ("theirs", "failed", "vm-foreign"), ("gone", "skipped", "vm-unknown"), ("db", "done", ""),
    ]  # fmt: skip
    assert [await world.state(each.id) for each in (web, db)] == [VmState.RUNNING, VmState.RUNNING]


async def test_a_shutdown_of_many_leads_to_a_task_for_each(world):
    await world.host()
    web = world.put("one", vm(1, "web"), VmState.RUNNING)
    async with working(world):
        task = await world.ended(await ask(world, "shut-down", [web]))
    (led_to,) = [each.task for each in await world.store.read(lambda db: tasks.items(db, task.id))]
    assert [each.task for each in await world.works()] == [led_to]


async def test_what_loses_something_is_confirmed_by_how_many(world):
    await world.host()
    web = world.put("one", vm(1, "web"), VmState.RUNNING)
    with pytest.raises(Conflict, match="Switch off 1 VM"):
        await ask(world, "off", [web], "2 VMs")
    with pytest.raises(Invalid) as said:
        await ask(world, "off", [])
    assert said.value.code == "selection-empty"
    with pytest.raises(Invalid) as said:
        await ask(world, "explode", [web])
    assert said.value.code == "action-unknown"
    assert (await ask(world, "off", [web], "1 VM")).title == "Switch off 1 VM"
