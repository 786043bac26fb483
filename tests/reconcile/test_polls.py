"""Ten thousand idle machines that wait: what they cost, and that each still hears at once what is wanted of it."""

import asyncio
from dataclasses import replace

import pytest
from fleet_world import Played

from appliance.errors import NotFound
from appliance.machine import MacAddress
from appliance.reconcile import polls
from appliance.reconcile.polls import TRUSTED_SECONDS
from appliance.reconcile.presence import SEEN_SECONDS
from appliance.store import machines
from appliance.workflow import PREPARE
from tests.people import ADA


@pytest.fixture
def reads(world, monkeypatch):
    """How often the store was read, in a list of one."""
    count, read = [0], world.store.read

    async def counted(job):
        count[0] += 1
        return await read(job)

    monkeypatch.setattr(world.store, "read", counted)
    return count


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(polls, "POLL_SECONDS", 0.02)


async def test_a_poll_that_is_repeated_costs_no_look_at_the_store(world, node, reads, short):
    await node.boots_stack()
    assert not await world.fleet.poll(node.poll)
    before = reads[0]
    for _ in range(3):
        world.now += 50
        assert not await world.fleet.poll(node.poll)
    assert reads[0] == before
    world.now += TRUSTED_SECONDS
    assert not await world.fleet.poll(node.poll)
    assert reads[0] > before, "what nobody rang for is found all the same, only later"


async def test_the_first_poll_costs_one_look(world, node, reads, short):
    await node.boots_stack()
    before = reads[0]
    assert not await world.fleet.poll(node.poll)
    assert reads[0] == before + 1


async def test_what_happens_during_the_first_look_is_looked_at(world, node, reads, short, monkeypatch):
    await node.boots_stack()
    machine, before, read = (await node.seen()).id, reads[0], world.store.read

    async def ringing(job):
        found = await read(job)
        if reads[0] == before + 1:
            world.bell.ring(machine)
        return found

    monkeypatch.setattr(world.store, "read", ringing)
    assert not await world.fleet.poll(node.poll)
    assert reads[0] == before + 2


async def test_work_ends_the_poll_under_way_and_the_one_after_a_quiet_one(world, node, short, monkeypatch):
    await node.usable()
    assert not await world.fleet.poll(node.poll)
    monkeypatch.setattr(polls, "POLL_SECONDS", 30.0)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        waiting = group.create_task(world.fleet.poll(node.poll))
        await world.deploy()
        await world.act("start")
    assert waiting.result()
    assert await world.fleet.poll(node.poll), "it was not fetched yet"
    await node.step(PREPARE)


async def test_a_poll_ends_with_its_session(world, node, short):
    await node.boots_stack()
    old = node.poll
    assert not await world.fleet.poll(old)
    await node.boots_stack()
    with pytest.raises(NotFound):
        await world.fleet.poll(old)
    with pytest.raises(NotFound):
        await world.fleet.poll("0" * 32)


async def test_a_machine_that_is_deleted_hears_it_while_it_waits(world, node, monkeypatch):
    """Nobody rings for that but the bus."""
    await node.boots_stack()
    machine = (await node.seen()).id
    monkeypatch.setattr(polls, "POLL_SECONDS", 30.0)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        listening = group.create_task(world.bell.listen(world.bus))
        waiting = group.create_task(refused(world.fleet.poll(node.poll)))
        await world.wishes.delete_machine(machine, ADA)
        await waiting
        listening.cancel()


async def refused(poll):
    with pytest.raises(NotFound):
        await poll


async def test_signs_of_life_of_many_are_one_write(world, node, short, monkeypatch):
    others = [Played(world, MacAddress(f"52:54:00:00:01:{number:02x}"), None) for number in range(5)]
    for each in (node, *others):
        await each.boots_stack()
    writes, write = [0], world.store.write

    async def counted(*job):
        writes[0] += 1
        return await write(*job)

    monkeypatch.setattr(world.store, "write", counted)
    world.now += 100
    for each in (node, *others):
        await world.fleet.poll(each.poll)
    assert writes[0] == 0
    await world.presence.store()
    assert writes[0] == 1
    assert {(await each.seen()).last_seen for each in (node, *others)} == {world.now}
    world.now += SEEN_SECONDS - 1
    await world.fleet.poll(node.poll)
    await world.presence.store()
    assert writes[0] == 1, "so soon after the last sign nothing is new"


async def test_a_sign_of_life_changes_nothing_else(world, node, short):
    await node.boots_stack()
    world.now += 100
    await world.fleet.poll(node.poll)
    before = await node.seen()
    await world.presence.store()
    assert await node.seen() == replace(before, last_seen=world.now)


async def test_an_older_sign_of_life_is_not_put_over_a_later_one(world, node):
    await node.boots_stack()
    seen = await node.seen()
    await world.store.write(lambda db: machines.put_seen(db, {seen.id: seen.last_seen - 1}))
    assert await node.seen() == seen
