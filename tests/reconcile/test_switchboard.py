"""One caller at a time speaks with a switch, however many want to."""

import asyncio

import pytest
from fleet_world import Played
from power_world import SECRET, SETTINGS, Switches

from appliance.machine import MacAddress
from appliance.power.memory import MemorySwitch
from appliance.power_order import PowerAction
from appliance.power_switch import PowerError, PowerState
from appliance.reconcile import switchboard
from appliance.reconcile.jobs import JobCancelled
from appliance.reconcile.switchboard import MOST_LOOKS, MOST_SILENT
from appliance.store import power
from tests.people import ADA


@pytest.fixture
def switches(world):
    return Switches(world)


async def test_who_comes_while_another_still_waits_waits_too(switches, node):
    await node.usable()
    await switches.add(node)
    machine = (await node.seen()).id
    speaking, most, turns = 0, 0, 0

    async def speak():
        nonlocal speaking, most, turns
        async with switches.board.line(machine):
            speaking += 1
            most = max(most, speaking)
            for _ in range(5):  # whoever is opening the line meanwhile has opened it by then
                await node.seen()
            turns += 1
            speaking -= 1

    async def speak_and_send_another():
        await speak()
        await speak()  # right after it let go, while the second one has not begun yet

    async with asyncio.TaskGroup() as group:
        group.create_task(speak_and_send_another())
        for _ in range(3):
            group.create_task(speak())
    assert (turns, most) == (5, 1)
    assert not switches.board.is_held(machine)


async def fleet(switches, count):
    """The machines of new switches, which have not been asked yet."""
    made = []
    for number in range(count):
        node = Played(switches.world, MacAddress(f"52:54:00:00:02:{number:02x}"), None)
        await node.boots_stack()
        made.append(await node.seen())
        await switches.wishes.set_switch(made[-1].id, SETTINGS, SECRET, ADA)
    return made


async def ordered(switches, machine, action=PowerAction.ON):
    """An order of a user, carried out: how it ended."""
    await switches.world.wishes.power(machine.id, action, None, ADA)
    order = await switches.world.store.read(lambda db: power.open_order(db, machine.id))
    return await switches.orders.carry_out(order.id, nothing, nothing)


async def nothing(_):
    """Nobody listens, and nobody minds."""


async def test_dead_switches_hold_up_none_that_answers(switches, monkeypatch):
    """Every place of a look and of an order to a silent switch is taken, and more wait for one."""
    monkeypatch.setattr(switchboard, "MOST", 1)
    switches.__post_init__()
    *dead, healthy = await fleet(switches, MOST_LOOKS + MOST_SILENT + 3)
    over, gone = asyncio.Event(), PowerError("power-unreachable", "it does not answer")

    class Dead(MemorySwitch):
        async def observe(self):
            self.asked.append("observe")
            if self.asked.count("observe") > 1:
                await over.wait()
            raise gone

    switches.memory |= {each.name: Dead() for each in dead}
    for each in dead[: MOST_LOOKS + 4]:  # the others are found out to be dead by their orders
        await switches.watch._look(each.id)
    begun = set()

    async def look(each):
        begun.add(each.id)
        await switches.watch._look(each.id)

    async def order(each):
        begun.add(each.id)
        with pytest.raises(JobCancelled):
            await ordered_until(switches, each, over)

    async with asyncio.TaskGroup() as group:
        for number, each in enumerate(dead):
            group.create_task(look(each) if number < MOST_LOOKS else order(each))
        while len(begun) < len(dead):
            await asyncio.sleep(0)
        async with asyncio.timeout(20):
            ended = await ordered(switches, healthy, PowerAction.NETWORK_ONCE)
        assert (ended.code, over.is_set()) == ("", False)
        over.set()


async def ordered_until(switches, machine, over):
    await switches.world.wishes.power(machine.id, PowerAction.ON, None, ADA)
    order = await switches.world.store.read(lambda db: power.open_order(db, machine.id))

    async def enough(_):
        if over.is_set():
            raise JobCancelled

    await switches.orders.carry_out(order.id, nothing, enough)


async def test_nobody_comes_between_the_arming_of_a_start_and_the_start(switches, monkeypatch):
    """There may be a hundred others, and what is armed is forgotten after a minute."""
    monkeypatch.setattr(switchboard, "MOST", 1)
    switches.__post_init__()
    (first, second), said = await fleet(switches, 2), []

    class Heard(MemorySwitch):
        async def boot_network_once(self, uefi):
            said.append("armed")
            group.create_task(switches.board.observe(another))
            for _ in range(10):  # by then it waits for a place
                await asyncio.sleep(0)

        async def on(self):
            said.append("on")

        async def observe(self):
            said.append("another")
            return PowerState.ON

    switches.memory |= {first.name: Heard(), second.name: Heard()}
    line_of = switches.board.line
    async with line_of(first.id) as line, line_of(second.id) as another, asyncio.TaskGroup() as group:
        assert await switches.board.start_from_network(line, nothing) is None
    assert said == ["armed", "on", "another"]
