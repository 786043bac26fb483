"""VMs of a real libvirt (its driver for tests) through all of the room: made, changed, shut down, deleted, killed."""

import asyncio
import time

import pytest
import pytest_asyncio
from pool_world import GIB
from test_vm_killed import all_steps
from vm_world import MIB, VmWorld

from appliance.hypervisor import event_thread
from appliance.hypervisor.kvm import KvmHost
from appliance.reconcile.vms.revision import revision_of
from appliance.reconcile.vms.wish import DiskWish, NicWish, VmChange, VmWish
from appliance.store.store import open_store
from appliance.task import Status
from appliance.vm import Autostart, Order, VmState
from tests.contract.hypervisor_bench import LibvirtBench
from tests.people import ADA

WISH = VmWish(
    "web1", "libvirt", memory=64 * MIB, disks=(DiskWish(GIB),), nics=(NicWish("br0"),), autostart=Autostart(2, 5.0)
)


@pytest.fixture
def bench():
    made = LibvirtBench()
    yield made
    made.close()
    end = time.monotonic() + 30
    while event_thread._thread is not None and time.monotonic() < end:
        time.sleep(0.05)  # it ends after some rounds of a second


@pytest_asyncio.fixture
async def world(tmp_path, bench):
    async with open_store(tmp_path / "store.db") as store:
        made = VmWorld(store)
        async with made.at_work():
            await made.pools.made("fast")
            await made.vms.add_host("libvirt", bench.address, ADA)
        yield made
        await made.parts.rooms.close()


async def ours(world):
    return [each for each in (await world.vms.list()).vms if each.seen.ours]


async def test_the_life_of_a_vm(world, bench):
    async with world.at_work():
        ended = await world.ended(await world.vms.create(WISH, ADA))
        assert (ended.status, ended.reason) == (Status.DONE, "")
        made = (await world.vms.get("web1")).found.stored
        assert (made.autostart, made.nics[0].bridge, made.disks[0].path[:8]) == (Autostart(2, 5.0), "br0", "/memory/")
        await world.vms.order("web1", Order.START, ADA)
        await world.vms.change("web1", VmChange(cpus=2), revision_of(made), ADA)
        found = (await world.vms.get("web1")).found
        assert (found.stored.cpus, found.needs_restart) == (2, ("cpus",))
        await world.ended(await world.vms.add_disk("web1", DiskWish(GIB), ADA))
        assert [each.target for each in (await world.vms.get("web1")).found.stored.disks] == ["sda", "sdb"]
        ended = await world.ended(await world.vms.shut_down("web1", ADA))
        assert (ended.status, ended.result["forced"]) == (Status.DONE, False)
        ended = await world.ended(await world.vms.delete("web1", "web1", ADA, with_disks=True))
        assert (ended.status, await world.volumes(), await ours(world)) == (Status.DONE, [], [])


async def test_what_others_do_with_it_is_seen(world, bench):
    async with world.at_work():
        await world.ended(await world.vms.create(WISH, ADA))
        (view,) = await ours(world)
        await _watched(world)
        bench.outside(Order.START, view.seen.id)
        await world.until("vm.state", "web1 is running, and was off")
        bench.outside(Order.OFF, view.seen.id)
        bench.delete_outside(view.seen.id)
        assert await ours(world) == []
        assert await world.volumes() == ["web1-sda"]


async def _watched(world):
    """Whoever watches has looked once."""
    async with asyncio.timeout(20):
        while not any(vm.name == "web1" for each in world.watch._before.values() for vm in each.vms):
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_it_is_made_and_deleted_once_whenever_the_daemon_dies(world, monkeypatch):
    async def begin():
        return await world.vms.create(WISH, ADA)

    async def check(ended):
        assert (ended.status, ended.reason) == (Status.DONE, "")
        (view,) = await ours(world)
        assert (view.seen.name, view.seen.state) == ("web1", VmState.OFF)
        await world.ended(await world.vms.delete("web1", "web1", ADA, with_disks=True))
        assert (await ours(world), await world.volumes()) == ([], [])

    await all_steps(world, monkeypatch, begin, check, KvmHost)
