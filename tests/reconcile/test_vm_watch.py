"""What happens on hosts is seen and told once: VMs that stop by themselves, hosts that go away and come back."""

import asyncio

import pytest_asyncio
from vm_world import THEIRS, VmWorld, vm

from appliance.reconcile.vms import watch
from appliance.store import vm_hosts
from appliance.store.store import open_store
from appliance.vm import Order, VmState
from tests.people import ADA


@pytest_asyncio.fixture
async def world(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        made = VmWorld(store)
        await made.host("one")
        yield made


async def look(world):
    for host in await world.store.read(vm_hosts.every):
        await world.watch.look(host)


async def said(world, kind):
    return [(each.text, each.reason) for each in await world.events(kind)]


async def test_another_state_is_told_once_with_what_brought_it_about(world):
    world.put("one", vm(1, "web1"), VmState.RUNNING)
    world.put("one", vm(2, "theirs"), VmState.RUNNING, THEIRS)
    await look(world)
    memory = world.memories["one"]
    memory.put(vm(1).id, VmState.OFF, "its system has shut down")
    memory.put(vm(2).id, VmState.OFF)
    await look(world)
    await look(world)
    assert await said(world, "vm.state") == [("web1 is off, and was running", "its system has shut down")]


async def test_one_that_stands_still_because_of_its_disk_is_trouble_at_the_first_look_too(world):
    world.put("one", vm(1, "web1"), VmState.RUNNING)
    world.memories["one"].put(vm(1).id, VmState.PAUSED, "a disk could not be written")
    await look(world)
    await look(world)
    assert await said(world, "vm.trouble") == [("web1 is paused", "a disk could not be written")]


async def test_a_pause_that_somebody_ordered_is_no_trouble(world):
    world.put("one", vm(1, "web1"), VmState.RUNNING)
    await look(world)
    await world.vms.order("web1", Order.PAUSE, ADA)
    await look(world)
    assert (await said(world, "vm.trouble"), await said(world, "vm.state")) == (
        [],
        [("web1 is paused, and was running", "")],
    )


async def test_a_host_that_goes_away_is_told_once_and_its_vms_are_not_said_to_be_gone(world):
    world.put("one", vm(1, "web1"), VmState.RUNNING)
    await look(world)
    world.memories["one"].leave()
    await look(world)
    await look(world)
    world.memories["one"].come_back()
    await look(world)
    assert [each for each, _ in await said(world, "host.trouble")] == [
        "the host one does not answer",
        "the host one answers again",
    ]
    assert await said(world, "vm.state") == []


async def test_a_change_wakes_the_watch_and_a_new_host_is_watched_a_removed_one_not(world, monkeypatch):
    monkeypatch.setattr(watch, "BREATH", 0.0)
    async with world.at_work():
        await world.host("two")
        world.put("two", vm(1, "web1"), VmState.RUNNING)
        await _watched(world, "two")
        world.memories["two"].put(vm(1).id, VmState.CRASHED, "its system has crashed")
        event = await world.until("vm.trouble", "crashed")
        assert event.detail["vm"] == vm(1).id
        await world.vms.remove_host("two", ADA)
        async with asyncio.timeout(20):
            while world.memories["two"].hear:
                await asyncio.sleep(0.01)


async def _watched(world, host):
    async with asyncio.timeout(20):
        while not world.memories[host].hear:
            await asyncio.sleep(0.01)
