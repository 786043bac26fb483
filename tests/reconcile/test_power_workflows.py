"""Machines with a switch, moved through workflows without anybody at their power button."""

import pytest
from fleet_world import boots_disk, state
from power_world import Switches

from appliance.power_switch import PowerState
from appliance.reconcile.power_needs import needs
from appliance.reconcile.views import machine_view
from tests.people import ADA


@pytest.fixture
def switches(world):
    return Switches(world)


async def view(node):
    return await machine_view(node.world.store, (await node.seen()).id)


async def test_a_deploy_switches_a_machine_on_that_is_off(switches, node, world):
    await node.usable()
    memory = await switches.add(node)
    world.now += 600
    await world.deploy()
    await world.act("start")
    shown = await view(node)
    assert shown.advice(world.now) == "", "nobody has to do anything"
    assert shown.remedy(world.now).action == "on"
    await switches.turn()
    assert memory.booted == [False], "from the network, as BIOS"
    await node.boots_stack()
    await node.installs()
    await node.reports_active()
    assert await state(node) == "active"
    assert memory.booted == [False], "once"
    assert (await switches.switch(node)).wanted is PowerState.ON


async def test_a_system_that_goes_down_by_itself_is_not_cut(switches, node, world):
    await node.active()
    memory = await switches.add(node, PowerState.ON)
    await world.act("stop")
    await switches.turn()
    await node.obeys()
    await switches.turn()
    await node.boots_stack()
    assert await state(node) == "stopped"
    assert memory.booted == []


@pytest.mark.parametrize("action", ["stop", "release"])
async def test_a_silent_system_is_cut_off_after_the_time_that_was_shown(switches, node, world, action):
    await node.active()
    memory = await switches.add(node, PowerState.ON)
    await world.act(action)
    at = (await view(node)).remedy(world.now).at
    world.now = at - 1
    await switches.turn()
    assert memory.booted == []
    world.now = at
    await switches.turn()
    assert memory.booted == [False]
    await node.boots_stack()
    assert await state(node) == {"stop": "stopped", "release": "idle"}[action]


async def test_a_machine_that_switched_itself_off_is_started_again(switches, node, world):
    await node.active()
    memory = await switches.add(node, PowerState.ON)
    await world.act("release")
    await node.obeys()
    memory.state = PowerState.OFF
    await switches.look()
    await switches.turn()
    assert memory.booted == [False]
    await node.boots_stack()
    assert await state(node) == "idle"


async def test_a_rescue_of_a_machine_that_is_off(switches, node, world):
    await node.usable()
    memory = await switches.add(node)
    await world.wishes.rescue((await node.seen()).id, ["ssh-ed25519 AAAA ada"], ADA)
    await switches.turn()
    assert memory.booted == [False]


async def test_a_failed_machine_that_stays_away_is_released(switches, node, world):
    await node.active()
    memory = await switches.add(node, PowerState.ON)
    await world.act("stop")
    memory.deaf = True
    await world.passes(21 * 60)
    assert await state(node) == "failed"
    memory.deaf = False
    await world.act("release")
    world.now = (await view(node)).remedy(world.now).at
    await switches.turn()
    assert memory.booted == [False]
    await node.boots_stack()
    assert await state(node) == "idle"


async def test_an_order_is_dropped_when_the_machine_came_by_itself(switches, node, world):
    await node.usable()
    memory = await switches.add(node)
    await world.deploy()
    await world.act("start")
    found = (await world.store.read(lambda db: needs(db, world.now)))[0]
    await world.store.write(lambda db: switches.loop._give(found, db))
    memory.asked.clear()
    await node.boots_stack()
    await node.installs(until="prepare-disk")
    await switches.turn()
    assert "on" not in memory.asked
    assert [each.code for each in await switches.orders_of(node)] == ["power-overtaken"]


async def test_every_order_of_an_attempt_is_in_the_timeline(switches, node, world):
    await node.usable()
    await switches.add(node)
    await world.deploy()
    await world.act("start")
    await switches.turn()
    told = [(event.text, event.reason) for event in await world.events("machine.power")]
    name = (await node.seen()).name
    assert (f"{name} was switched on", "the deploy needs it, and it was off") in told
    assert (f"{name} is on", "its power switch says so") in told


async def test_a_switch_that_fails_leaves_it_to_a_person(switches, node, world):
    await node.usable()
    memory = await switches.add(node)
    memory.deaf = True
    world.now += 600
    await world.deploy()
    await world.act("start")
    for _ in range(20):
        await switches.turn()
        world.now += 30
        if (await view(node)).advice(world.now):
            break
    assert len(await switches.orders_of(node)) == 3
    assert (await view(node)).advice(world.now).startswith("Switch ")
    await node.boots_stack()
    await node.installs()
    assert (await boots_disk(node)).spec
