"""A daemon that is killed at any step of making, deleting or shutting down a VM: the next one ends it, once."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest_asyncio
from pool_world import GIB
from vm_world import MIB, VmWorld

from appliance.hypervisor.memory import MemoryHost
from appliance.reconcile.vms.wish import DiskWish, VmWish
from appliance.storage.memory import CutOff, MemoryPool
from appliance.store import tasks
from appliance.store.store import Store, open_store
from appliance.task import Status
from appliance.vm import VmState
from tests.people import ADA


@pytest_asyncio.fixture
async def world(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        made = VmWorld(store)
        async with made.at_work():
            await made.pools.made("fast")
            await made.host("one")
        yield made


class Kill:
    """The daemon dies before the step of this number, or right after it; each call of a host or a pool is one."""

    def __init__(self, monkeypatch, step, after, host):
        self.step, self.after, self.done = step, after, 0
        for kind, names in (
            (host, ("read", "define", "order", "undefine")),
            (MemoryPool, ("create", "delete", "look")),
        ):
            for name in names:
                monkeypatch.setattr(kind, name, self.watched(getattr(kind, name)))
        monkeypatch.setattr(Store, "write", self.watched(Store.write))

    def watched(self, call):
        async def counted(*args, **more):
            self.done += 1
            if self.done == self.step and not self.after:
                raise CutOff
            result = await call(*args, **more)
            if self.done == self.step:
                raise CutOff
            return result

        return counted


async def killed(world, monkeypatch, task, step, after, host=MemoryHost):
    """Whether it died before the task had ended."""
    with monkeypatch.context() as patched:
        kill = Kill(patched, step, after, host)
        with suppress(BaseExceptionGroup):
            async with asyncio.timeout(20), world.at_work():
                await world.ended(task)
    return kill.done >= step


async def all_steps(world, monkeypatch, begin, check, host=MemoryHost):
    """Killed at each step in turn, before and after it, until one is beyond the end."""
    for after in (False, True):
        step = 0
        while True:
            step += 1
            task = await begin()
            dead = await killed(world, monkeypatch, task, step, after, host)
            world.begin()
            async with world.at_work():
                ended = await world.ended(task)
                await check(ended)
            assert await world.works() == []
            if not dead:
                break
        assert step > 5, "there were steps to be killed at"


async def test_a_vm_is_made_once_whenever_the_daemon_dies(world, monkeypatch):
    async def begin():
        wish = VmWish("web1", memory=64 * MIB, disks=(DiskWish(GIB), DiskWish(GIB)), start=True)
        return await world.vms.create(wish, ADA)

    async def check(ended):
        assert (ended.status, ended.reason) == (Status.DONE, "")
        (view,) = (await world.vms.list()).vms
        assert (view.seen.state, view.work) == (VmState.RUNNING, None)
        assert await world.volumes() == ["web1-sda", "web1-sdb"]
        assert set((await world.known_volumes()).values()) == {("vm", view.seen.id)}
        await world.ended(await world.vms.delete("web1", "web1", ADA, with_disks=True))
        assert await world.volumes() == []

    await all_steps(world, monkeypatch, begin, check)


async def test_a_vm_is_deleted_with_its_volumes_whenever_the_daemon_dies(world, monkeypatch):
    async def begin():
        async with world.at_work():
            wish = VmWish("web1", memory=64 * MIB, disks=(DiskWish(GIB), DiskWish(GIB)), start=True)
            await world.ended(await world.vms.create(wish, ADA))
        return await world.vms.delete("web1", "web1", ADA, with_disks=True)

    async def check(ended):
        assert (ended.status, ended.reason) == (Status.DONE, "")
        assert ((await world.vms.list()).vms, await world.volumes(), await world.known_volumes()) == ([], [], {})

    await all_steps(world, monkeypatch, begin, check)


async def test_a_shutdown_comes_to_its_end_whenever_the_daemon_dies(world, monkeypatch):
    async def begin():
        async with world.at_work():
            await world.ended(await world.vms.create(VmWish("web1", memory=64 * MIB, start=True), ADA))
        return await world.vms.shut_down("web1", ADA)

    async def check(ended):
        assert (ended.status, ended.result["vm"]) == (Status.DONE, ended.arguments["vm"])
        assert await world.state("web1") is VmState.OFF
        await world.ended(await world.vms.delete("web1", "web1", ADA, with_disks=True))

    await all_steps(world, monkeypatch, begin, check)


async def test_what_is_cancelled_while_the_daemon_is_dead_leaves_no_volume_and_no_lock(world, monkeypatch):
    task = await world.vms.create(VmWish("web1", memory=64 * MIB, disks=(DiskWish(GIB), DiskWish(GIB))), ADA)
    assert await killed(world, monkeypatch, task, 7, True)
    await world.store.write(lambda db: tasks.put(db, replace(tasks.get(db, task.id), cancelled_by="ada")))
    world.begin()
    async with world.at_work():
        assert (await world.ended(task)).status is Status.CANCELLED
        await world.until("vm.changed", "given up: somebody cancelled it")
        assert (await world.works(), await world.volumes()) == ([], [])
        assert (await world.vms.list()).vms == []


async def test_vms_run_on_while_the_daemon_is_away(world):
    async with world.at_work():
        await world.ended(await world.vms.create(VmWish("web1", memory=64 * MIB, start=True), ADA))
    asked = list(world.memories["one"].asked)
    world.begin()
    async with world.at_work():
        assert await world.state("web1") is VmState.RUNNING
    assert world.memories["one"].asked == asked
