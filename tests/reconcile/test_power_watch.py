"""Switches are looked at now and then, a few at once; what they say is stored, and told where it is news."""

import asyncio
from itertools import pairwise

import pytest
from fleet_world import START, Played
from power_world import SETTINGS, Switches

from appliance.machine import MacAddress
from appliance.power.memory import MemorySwitch
from appliance.power_known import Seen
from appliance.power_switch import PowerError, PowerKind, PowerSettings, PowerState
from appliance.reconcile import power_schedule as schedule
from appliance.reconcile.switchboard import MOST_LOOKS
from appliance.store import power
from appliance.store.sealing import KEY_BYTES, Sealer
from tests.people import ADA


@pytest.fixture
def switches(world):
    return Switches(world)


GONE = PowerError("power-unreachable", "192.0.2.10 does not answer")


async def test_a_change_is_stored_and_told_once(switches, node, world):
    await node.usable()
    memory = await switches.add(node)
    memory.state = PowerState.ON
    for _ in range(3):
        await switches.look()
    name = (await node.seen()).name
    assert [event.text for event in await world.events("machine.power")] == [f"{name} is off", f"{name} is on"]
    seen = (await switches.switch(node)).seen
    assert (seen.state, seen.since) == (PowerState.ON, START + 120)


async def test_one_that_does_not_answer_is_told_once_and_believed_no_longer(switches, node, world):
    await node.usable()
    memory = await switches.add(node, PowerState.ON)
    memory.failing = GONE
    await switches.look()
    assert (await switches.switch(node)).seen.state is PowerState.ON, "one answer that is lost means nothing"
    for _ in range(5):
        await switches.look()
    seen = (await switches.switch(node)).seen
    assert (seen.state, seen.code, seen.failures) == (PowerState.UNKNOWN, "power-unreachable", 6)
    memory.failing = None
    await switches.look()
    name = (await node.seen()).name
    told = [event.text for event in await world.events("machine.power")][1:]
    assert told == [f"the power switch of {name} cannot be asked", f"{name} is on"]


async def fleet(switches, count):
    made = []
    for number in range(count):
        node = Played(switches.world, MacAddress(f"52:54:00:00:01:{number:02x}"), None)
        await node.boots_stack()
        machine = await node.seen()
        await switches.wishes.set_switch(machine.id, SETTINGS, "secret", ADA)
        made.append(machine)
    return made


async def test_a_few_at_once_and_a_dead_one_keeps_nobody(switches, world):
    machines = await fleet(switches, MOST_LOOKS + 6)
    gate, most = asyncio.Event(), 0

    class Slow(MemorySwitch):
        async def observe(self):
            nonlocal most
            most = max(most, len(switches.watch._looking))
            await gate.wait()
            return PowerState.ON

    switches.board._drivers = lambda *_: Slow()
    async with asyncio.TaskGroup() as group:
        await switches.watch.round(group)
        await asyncio.sleep(0)
        await switches.watch.round(group)
        assert len(switches.watch._looking) == MOST_LOOKS
        gate.set()
    async with asyncio.TaskGroup() as group:
        await switches.watch.round(group)
    assert most == MOST_LOOKS
    found = [await world.store.read(lambda db, of=each: switch_of(db, of)) for each in machines]
    assert {each.seen.state for each in found} == {PowerState.ON}


async def test_silent_switches_leave_half_of_the_places_to_those_that_answer(switches, world):
    machines = await fleet(switches, 2 * MOST_LOOKS)
    silent, healthy = machines[: MOST_LOOKS + 2], machines[MOST_LOOKS + 2 :]
    for each in machines:
        switches.memory[each.name] = MemorySwitch(failing=GONE if each in silent else None)
        await switches.watch._look(each.id)
    over = asyncio.Event()

    class Hanging(MemorySwitch):
        async def observe(self):
            await over.wait()
            raise GONE

    switches.memory |= {each.name: Hanging() for each in silent}
    await switches.watch._refresh(world.now)
    switches.watch._due = dict.fromkeys((each.id for each in machines), 0.0)
    switches.watch._read_at = world.now
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        while any(switches.watch._due[each.id] <= world.now for each in healthy):
            await switches.watch.round(group)
            await asyncio.sleep(0)
        assert len(switches.watch._looking & {each.id for each in silent}) == MOST_LOOKS // 2
        over.set()


async def test_a_switch_that_stays_silent_is_looked_at_more_and_more_seldom(switches, node, world):
    await node.usable()
    memory = await switches.add(node)
    memory.failing, looks = GONE, []
    for minute in range(120):
        before = len(memory.asked)
        async with asyncio.TaskGroup() as group:
            await switches.watch.round(group)
        looks += [minute] * (len(memory.asked) - before)
        world.now += 60
    pauses = [after - before for before, after in pairwise(looks)]
    assert max(pauses[:3]) <= 3, pauses
    assert min(pauses[-3:]) >= 13, pauses


def switch_of(db, machine):
    return power.find(db, machine.id)


async def test_other_settings_are_looked_at_at_once(switches, node, world):
    await node.usable()
    await switches.add(node)
    async with asyncio.TaskGroup() as group:
        await switches.watch.round(group)
    opened = len(switches.opened)
    other = PowerSettings(PowerKind.IPMI, "192.0.2.11", user="root")
    await switches.wishes.set_switch((await node.seen()).id, other, "other", ADA)
    switches.watch._read_at = None
    async with asyncio.TaskGroup() as group:
        await switches.watch.round(group)
    assert switches.opened[opened:] == [(other, "other")]


async def test_what_nobody_can_look_at_is_left_alone(switches, node):
    await node.usable()
    await switches.add(node, settings=PowerSettings(PowerKind.WAKE_ON_LAN), secret="")
    switches.opened.clear()
    async with asyncio.TaskGroup() as group:
        await switches.watch.round(group)
    assert switches.opened == []


def test_pauses_grow_while_nobody_answers():
    seen, pauses = Seen(PowerState.ON, 0, 0), []
    for _ in range(8):
        seen = schedule.unanswered(seen, GONE)
        pauses.append(schedule.pause(seen, False, 1, 0.5))
    assert pauses == [30, 60, 120, 240, 480, 960, 960, 960]
    refused = schedule.unanswered(Seen(), PowerError("power-refused", "no"))
    assert schedule.pause(refused, True, 1, 0.5) == 960, "a password that is refused may lock the account"


def test_the_traffic_of_a_large_fleet_is_that_of_a_small_one():
    assert schedule.pause(Seen(), False, 500, 0.5) == 60
    assert schedule.pause(Seen(), False, 5000, 0.5) == 600
    assert schedule.pause(Seen(), True, 5000, 0.5) == 15, "an attempt waits for it"


def test_looks_are_spread():
    spread = [schedule.spread(f"m{number}", 1000.0) for number in range(200)]
    assert min(spread) < 0.1
    assert max(spread) > 0.9
    assert all(51 <= schedule.pause(Seen(), False, 1, each) <= 69 for each in spread)


async def test_a_password_that_cannot_be_read_is_told(switches, node, world):
    """As after a restore without the key."""
    await node.usable()
    await switches.add(node)
    switches.board._sealer = Sealer(b"x" * KEY_BYTES)
    await switches.look()
    seen = (await switches.switch(node)).seen
    assert (seen.state, seen.code) == (PowerState.UNKNOWN, "power-refused")
    assert "cannot be read" in seen.trouble
    assert "cannot be asked" in (await world.events("machine.power"))[-1].text
