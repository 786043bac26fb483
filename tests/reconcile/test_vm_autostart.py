"""After a start of the computer VMs are started in their order with pauses between; once, whoever is killed."""

import pytest_asyncio
from vm_world import THEIRS, VmWorld, vm

from appliance.errors import ApplianceError
from appliance.reconcile.vms.autostart import AGAIN
from appliance.store.store import open_store
from appliance.vm import Autostart, Order, VmState
from tests.people import ADA


@pytest_asyncio.fixture
async def world(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        made = VmWorld(store)
        await made.host("one")
        made.put("one", vm(1, "db", autostart=Autostart(1, 30.0)))
        made.put("one", vm(2, "web", autostart=Autostart(2)))
        made.put("one", vm(3, "aux", autostart=Autostart(2)))
        made.put("one", vm(4, "manual"))
        made.put("one", vm(5, "theirs", autostart=Autostart()), owner=THEIRS)
        yield made


async def running(world):
    return [each.seen.name for each in (await world.vms.list()).vms if each.seen.state is VmState.RUNNING]


async def step(world):
    return await world.parts.autostarting.step()


async def all_steps(world):
    while (wait := await step(world)) is not None:
        world.now += wait


async def test_lower_ones_first_and_each_waited_for_as_long_as_it_says(world):
    assert (await step(world), await running(world)) == (30.0, ["db"])
    world.now += 29.0
    assert (await step(world), await running(world)) == (1.0, ["db"])
    world.now += 1.0
    assert (await step(world), await running(world)) == (0.0, ["aux", "db"])
    assert (await step(world), await running(world)) == (0.0, ["aux", "db", "web"])
    assert await step(world) is None
    assert (await world.events("vm.ordered"))[0].reason == "it is started by itself after the computer was"


async def test_a_killed_daemon_goes_on_and_starts_nothing_twice(world):
    await step(world)
    world.begin()
    assert await step(world) == 30.0
    await world.vms.order("db", Order.OFF, ADA)
    await all_steps(world)
    assert await running(world) == ["aux", "web"]


async def test_once_for_each_start_of_the_computer(world):
    await all_steps(world)
    for name in ("db", "web", "aux"):
        await world.vms.order(name, Order.OFF, ADA)
    world.begin()
    assert (await step(world), await running(world)) == (None, [])
    world.boot = "tuesday"
    world.begin()
    await all_steps(world)
    assert await running(world) == ["aux", "db", "web"]


async def test_where_nobody_knows_the_start_nothing_is_started(world):
    world.boot = ""
    world.begin()
    await world.parts.autostarting.run()
    assert await running(world) == []


async def test_one_that_cannot_be_started_keeps_no_other_one_from_it_and_is_told(world):
    world.memories["one"].refusing[Order.START] = ApplianceError("vm-failed", "no memory is left")
    assert await step(world) == 0.0
    del world.memories["one"].refusing[Order.START]
    await all_steps(world)
    assert await running(world) == ["aux", "web"]
    (event,) = await world.events("vm.trouble")
    assert (event.text, event.reason) == ("db was not started after the computer was", "no memory is left")


async def test_a_host_that_is_not_up_yet_is_waited_for(world):
    world.memories["one"].leave()
    assert await step(world) == AGAIN
    world.memories["one"].come_back()
    await all_steps(world)
    assert await running(world) == ["aux", "db", "web"]


async def test_what_became_known_while_the_computer_ran_waits_for_its_next_start(world):
    await world.parts.autostarting.pass_by()
    assert (await step(world), await running(world)) == (None, [])
    world.begin()
    assert (await step(world), await running(world)) == (None, []), "and after a restart of the daemon"
    world.boot = "tuesday"
    world.begin()
    await all_steps(world)
    assert await running(world) == ["aux", "db", "web"]
