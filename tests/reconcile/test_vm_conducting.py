"""Shutdowns are conducted: agent, button, plug, as time goes on; whoever loses patience may draw the plug before."""

import asyncio

import pytest_asyncio
from vm_world import VmWorld, vm

from appliance.store.store import open_store
from appliance.task import Status
from appliance.vm import Order, VmState
from tests.people import ADA


@pytest_asyncio.fixture
async def world(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        made = VmWorld(store)
        async with made.at_work():
            await made.host("one")
            made.put("one", vm(1, "web1"), VmState.RUNNING)
            yield made


async def told(world, count):
    """Until so many orders were given."""
    async with asyncio.timeout(20):
        while len(world.memories["one"].asked) < count:
            await asyncio.sleep(0.01)
    return world.memories["one"].asked


async def test_a_system_that_shuts_down_is_never_switched_off(world):
    memory = world.memories["one"]
    memory.agents.add(vm(1).id)
    memory.shutting_down = 10.0
    task = await world.vms.shut_down("web1", ADA)
    assert await told(world, 1) == ["ask-agent"]
    world.now += 11
    ended = await world.ended(task)
    assert (ended.status, ended.result["forced"], memory.asked) == (Status.DONE, False, ["ask-agent"])
    assert (await world.events("vm.ordered"))[-1].text == "ada shut down web1"


async def test_one_that_ignores_everything_is_switched_off_when_it_was_said(world):
    memory = world.memories["one"]
    memory.deaf.add(vm(1).id)
    task = await world.vms.shut_down("web1", ADA, patience=60.0)
    assert await told(world, 2) == ["ask-agent", "ask-acpi"]
    world.now += 16
    assert await told(world, 3) == ["ask-agent", "ask-acpi", "ask-acpi"]
    world.now += 45
    ended = await world.ended(task)
    assert (ended.status, ended.result["forced"], memory.asked[-1]) == (Status.DONE, True, "off")
    event = (await world.events("vm.ordered"))[-1]
    assert (event.text, event.reason) == ("ada shut down web1", "its time was over")


async def test_the_plug_may_be_drawn_before_and_nothing_else_be_ordered(world):
    memory = world.memories["one"]
    memory.deaf.add(vm(1).id)
    task = await world.vms.shut_down("web1", ADA)
    await told(world, 2)
    await world.vms.order("web1", Order.OFF, ADA)
    ended = await world.ended(task)
    assert (ended.status, ended.result["forced"]) == (Status.DONE, False)


async def test_a_paused_vm_is_switched_off_since_it_cannot_be_asked(world):
    await world.vms.order("web1", Order.PAUSE, ADA)
    ended = await world.ended(await world.vms.shut_down("web1", ADA))
    assert (ended.status, ended.result["forced"]) == (Status.DONE, True)
    assert (await world.events("vm.ordered"))[-1].reason == "it did not run, and could not be asked"


async def test_a_host_that_goes_away_is_waited_for_until_the_time_is_over(world):
    memory = world.memories["one"]
    memory.deaf.add(vm(1).id)
    task = await world.vms.shut_down("web1", ADA, patience=60.0)
    await told(world, 2)
    memory.leave()
    world.now += 30
    await asyncio.sleep(0.05)
    memory.come_back()
    await told(world, 3)
    memory.leave()
    world.now += 60
    ended = await world.ended(task)
    assert (ended.status, ended.code) == (Status.FAILED, "host-unreachable")
    assert await world.works() == []
    memory.come_back()
    await world.vms.order("web1", Order.OFF, ADA)
