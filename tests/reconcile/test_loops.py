"""Whoever waits is woken; loops outlive a store that fails, and do not spin over it."""

import asyncio

import pytest
from fleet_world import Played
from test_plan import M

from appliance.errors import ApplianceError
from appliance.events import Bus, Event, Progress
from appliance.machine import MacAddress, MachineId
from appliance.reconcile import loop as loops
from appliance.reconcile import upkeep
from appliance.reconcile.bell import Bell
from appliance.reconcile.consequences import Action
from appliance.reconcile.observations import Observations
from appliance.reconcile.projection import Projection
from appliance.workflow import MINUTE, Status
from tests.people import ADA

FULL = ApplianceError("store-failed", "disk full")


async def never():
    return False


def told_when_it_rests(loop, monkeypatch):
    """Set once the loop has ended a round."""
    rested, a_round = asyncio.Event(), loop.round

    async def told_round():
        pause = await a_round()
        rested.set()
        return pause

    monkeypatch.setattr(loop, "round", told_round)
    return rested


async def test_a_condition_that_holds_needs_no_ring():
    async def holds():
        return True

    assert await Bell().wait(M, holds, 0.0)


async def test_a_ring_has_the_condition_asked_again_and_only_for_that_machine():
    bell, asked, state = Bell(), [], []

    async def condition():
        asked.append(1)
        return bool(state)

    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(bell.wait(M, condition, 30))
        while not asked:
            await asyncio.sleep(0)
        bell.ring(MachineId("other"))
        bell.ring(M)
        while len(asked) < 2:
            await asyncio.sleep(0)
        state.append(1)
        bell.ring(M)
        assert await waiting
    assert len(asked) == 3


async def test_waiting_ends_and_leaves_nothing_behind():
    bell = Bell()
    assert not await bell.wait(M, never, 0.01)
    asked = asyncio.Event()

    async def not_yet():
        asked.set()
        return False

    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(bell.wait(M, not_yet, 30))
        await asked.wait()
        waiting.cancel()
    assert bell._waiting == {}


async def test_a_poll_is_answered_as_soon_as_there_is_work(world, node):
    await node.usable()
    await world.deploy()
    async with asyncio.TaskGroup() as tasks:
        poll = tasks.create_task(world.fleet.poll(node.poll))
        while not world.bell._waiting:
            await asyncio.sleep(0)
        await world.act("start")
        assert await poll is True


async def test_a_poll_of_a_session_that_ends_while_it_waits_is_told_so(world, node):
    await node.boots_stack()

    async def boots_again():
        while not world.bell._waiting:
            await asyncio.sleep(0)
        await Played(world).boots_stack()

    told, _ = await asyncio.gather(world.fleet.poll(node.poll), boots_again(), return_exceptions=True)
    assert isinstance(told, ApplianceError)
    assert told.code == "session-unknown"


async def test_the_loop_runs_by_itself_when_something_is_wanted(world, node, monkeypatch):
    await node.usable()
    await world.deploy()
    rested = told_when_it_rests(world.loop, monkeypatch)
    with world.bus.subscribe() as heard:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(world.loop.run())
            await rested.wait()
            await world.wishes.act("web-1", Action.START, None, ADA)
            while not (isinstance(event := await heard.get(), Event) and event.kind == "attempt.started"):
                continue
            running.cancel()


async def test_a_machine_is_not_blamed_for_the_silence_while_the_daemon_was_away(world, node, monkeypatch):
    await node.usable()
    await world.deploy()
    await world.act("start")
    await node.installs(until="write-image")
    world.now += 30 * MINUTE
    rested = told_when_it_rests(world.loop, monkeypatch)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(world.loop.run())
        await rested.wait()
        running.cancel()
    assert (await node.attempt()).status is Status.LIVE
    await node.step("grow")


@pytest.mark.parametrize("error", [FULL, KeyError("a defect")])
async def test_rounds_that_fail_are_told_and_do_not_spin(world, monkeypatch, error):
    rounds = []

    async def fails():
        rounds.append(1)
        raise error

    monkeypatch.setattr(world.loop, "round", fails)
    with world.bus.subscribe() as heard:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(world.loop.run())
            assert (await heard.get()).kind == "daemon.trouble"
            for _ in range(100):
                await asyncio.sleep(0)
            assert len(rounds) == 1
            world.bus.publish(Progress(M, "grow", 0.5, ""))
            world.bus.publish(Event("machine.changed", 1.0, "x"))
            await heard.get()
            await heard.get()
            await heard.get()
            assert len(rounds) == 2
            running.cancel()


async def test_an_action_that_fails_does_not_keep_the_others_from_theirs(world, node, monkeypatch):
    second = Played(world, MacAddress("52:54:00:00:00:02"), None)
    for each, name in ((node, "a-first"), (second, "b-second")):
        await each.usable()
        await world.deploy(name, machine=(await each.seen()).id)
        await world.wishes.act(name, Action.START, None, ADA)
    broken, real = (await node.seen()).id, loops.settle

    def settles(db, tell, machine, *rest):
        if machine.id == broken:
            raise ApplianceError("odd", "this one cannot")
        return real(db, tell, machine, *rest)

    monkeypatch.setattr(loops, "settle", settles)
    await world.loop.round()
    assert (await node.seen()).state == "idle"
    assert (await second.seen()).state == "deploying"


async def test_a_deadline_that_cannot_be_stored_is_tried_again_later_and_not_at_once(world, node, monkeypatch):
    """The attempt stays overdue: without a pause a full disk would cost a whole core."""
    await node.usable()
    await world.deploy()
    await world.act("start")
    world.now += 100_000

    def fails(*_):
        raise FULL

    with monkeypatch.context() as patched:
        patched.setattr(loops, "settle", fails)
        assert await world.loop.round() >= loops.BREATH > 0
    assert (await node.seen()).state == "deploying"
    await world.loop.round()
    assert (await node.seen()).state == "failed"


class FullStore:
    """Every write and read fails, and is counted."""

    def __init__(self, error=FULL):
        self.asked = asyncio.Semaphore(0)
        self._error = error

    async def write(self, *_):
        self.asked.release()
        raise self._error

    read = write


async def test_observations_outlive_a_full_disk():
    store, bus = FullStore(), Bus()
    projection = Projection(store, bus, print, print)
    projection.mac_of["10.0.0.5"] = "52:54:00:00:00:01"
    observations = Observations(store, bus, lambda: 1.0, projection)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(observations.run())
        for _ in range(2):
            await observations.http("10.0.0.5", "/x", 1)
            await store.asked.acquire()
        assert not running.done()
        running.cancel()
    assert observations.dropped >= 1


@pytest.mark.parametrize("error", [FULL, KeyError("a defect")])
async def test_names_and_machines_outlive_a_store_that_fails(error):
    store, bus = FullStore(error), Bus()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(Projection(store, bus, print, print).run())
        for _ in range(3):
            await store.asked.acquire()
            bus.publish(Event("machine.changed", 1.0, "x"))
        running.cancel()


@pytest.mark.parametrize("error", [FULL, KeyError("a defect")])
async def test_upkeep_outlives_a_full_disk(monkeypatch, error):
    monkeypatch.setattr(upkeep, "HOUR", 0.0)
    store = FullStore(error)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(upkeep.Upkeep(store, Bus(), lambda: 0.0).run())
        for _ in range(3):
            await store.asked.acquire()
        running.cancel()
