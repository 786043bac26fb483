"""What every driver of a host of VMs promises, asked of each through the same seam."""

import asyncio
import contextlib
import time
from dataclasses import replace

import pytest
from hypervisor_bench import FOREIGN, LibvirtBench, MemoryBench, QemuBench

from appliance.hypervisor import connection, kvm
from appliance.vm import Autostart, Cdrom, Disk, Order, System, Vm, VmId, VmState
from appliance.vm_host import check_possible
from tests.contract.refusal import refused

ID = VmId("658ecf7d-31a1-4e67-8b1b-5e94b28c141e")
NOBODY = VmId("00000000-1111-4222-8333-444444444444")
MIB = 1 << 20


class World:
    """A bench with its driver, one VM in words, and what was heard."""

    def __init__(self, bench):
        self.bench, self.host, self.heard = bench, bench.host(), asyncio.Queue()
        self.web = Vm(ID, "web1", 1, 64 * MIB, (Disk("sda", bench.disk),), (Cdrom("sdb"),), (), ("sda",))

    async def state(self, key=ID):
        seen = {each.id: each for each in await self.host.vms()}
        return seen[key].state

    async def until(self, wanted):
        """Until a change like that is heard."""
        async with asyncio.timeout(30):
            while not wanted(await self.heard.get()):
                pass


MEMORY = pytest.param(MemoryBench, id="memory")
TEST = pytest.param(LibvirtBench, id="libvirt-test")
QEMU = pytest.param(QemuBench, id="libvirt-qemu", marks=[pytest.mark.vm, pytest.mark.slow])


@pytest.fixture(params=[MEMORY, TEST, QEMU])
def bench(request):
    made = request.param()
    yield made
    made.close()


@pytest.fixture
async def world(bench):
    made = World(bench)
    yield made
    await made.host.close()


@contextlib.asynccontextmanager
async def watched(world):
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(world.host.watch(world.heard.put_nowait))
        await world.until(lambda change: change.id is None)
        yield
        watching.cancel()


async def test_a_host_says_what_it_can_do(world):
    host = await world.host.look()
    assert host.name
    assert host.cpus > 0
    assert host.memory > 64 * MIB
    assert host.libvirt >= (9, 0, 0)
    check_possible(world.web, host)


async def test_a_new_vm_is_off_and_as_it_was_defined(world):
    wanted = replace(world.web, notes="<b>&\n", system=System.WINDOWS, autostart=Autostart(3, 1.5), cpus=2)
    for _ in range(2):
        await world.host.define(wanted)
        found = await world.host.read(ID)
        assert (found.stored, found.live, found.beyond) == (wanted, None, ())
        assert found.seen in await world.host.vms()
    seen = found.seen
    assert (seen.name, seen.state, seen.ours, seen.stored) == ("web1", VmState.OFF, True, True)
    assert (seen.cpus, seen.memory, seen.why) == (2, 64 * MIB, "")


async def test_bad_words_are_refused(world):
    await refused("name-invalid", world.host.define(replace(world.web, name="../web")))
    await refused("vm-id", world.host.read("web1"))
    assert ID not in [each.id for each in await world.host.vms()]


async def test_one_life(world):
    host = world.host
    await host.define(world.web)
    for order, state in (
        (Order.START, VmState.RUNNING),
        (Order.PAUSE, VmState.PAUSED),
        (Order.RESUME, VmState.RUNNING),
        (Order.OFF, VmState.OFF),
    ):
        for _ in range(2):
            await host.order(ID, order)  # what is as it was asked for is done
            assert await world.state() is state
    await host.order(ID, Order.START)
    await host.order(ID, Order.RESET)
    assert await world.state() is VmState.RUNNING
    found = await host.read(ID)
    assert found.needs_restart == ()
    assert found.live is not None


async def test_what_is_not_for_a_state_is_refused_and_changes_nothing(world):
    await world.host.define(world.web)
    for order in (Order.PAUSE, Order.RESUME, Order.RESET):
        await refused("vm-state", world.host.order(ID, order))
    assert await world.state() is VmState.OFF
    await world.host.order(ID, Order.START)
    await world.host.order(ID, Order.PAUSE)
    for order in (Order.START, Order.ASK_ACPI, Order.ASK_AGENT):
        await refused("vm-state", world.host.order(ID, order))
    await refused("vm-state", world.host.undefine(ID))
    assert await world.state() is VmState.PAUSED


async def test_what_is_not_there_is_said_so(world):
    await refused("vm-unknown", world.host.read(NOBODY))
    await refused("vm-unknown", world.host.order(NOBODY, Order.START))
    await world.host.undefine(NOBODY)


async def test_a_change_of_what_runs_needs_a_restart(world):
    host = world.host
    await host.define(world.web)
    await host.order(ID, Order.START)
    wanted = replace(world.web, memory=96 * MIB, cdroms=(Cdrom("sdb"), Cdrom("sdc")), boot=("sdb", "sda"), notes="new")
    await host.define(wanted)
    found = await host.read(ID)
    assert found.stored == wanted
    assert set(found.needs_restart) == {"memory", "cdroms", "boot"}
    await host.order(ID, Order.OFF)
    await host.order(ID, Order.START)
    assert (await host.read(ID)).needs_restart == ()


async def test_two_people_do_not_overwrite_each_other(world):
    host = world.host
    await host.define(world.web)
    first = replace(world.web, notes="first")
    await host.define(first, world.web)
    await refused("vm-changed", host.define(replace(world.web, notes="second"), world.web))
    assert (await host.read(ID)).stored == first
    await host.undefine(ID)
    await refused("vm-changed", host.define(replace(world.web, notes="third"), first))


async def test_a_name_is_given_once(world):
    host = world.host
    await host.define(world.web)
    await refused("name-taken", host.define(Vm(NOBODY, "web1")))
    await host.define(replace(world.web, name="shop", notes="renamed"))
    assert (await host.read(ID)).stored == replace(world.web, name="shop", notes="renamed")
    await host.order(ID, Order.START)
    await refused("vm-state", host.define(world.web))
    assert (await host.read(ID)).stored.name == "shop"


async def test_a_system_is_asked_before_its_plug_is_drawn(world):
    host = world.host
    await host.define(world.web)
    for order in (Order.ASK_ACPI, Order.ASK_AGENT):
        await host.order(ID, order)  # it is off
    await host.order(ID, Order.START)
    await refused("vm-agent-silent", host.order(ID, Order.ASK_AGENT))
    await host.order(ID, Order.ASK_ACPI)
    assert await world.state() is (VmState.OFF if world.bench.shuts_down else VmState.RUNNING)
    await host.order(ID, Order.OFF)
    assert await world.state() is VmState.OFF


async def test_what_is_deleted_is_gone(world):
    await world.host.define(world.web)
    for _ in range(2):
        await world.host.undefine(ID)
    assert ID not in [each.id for each in await world.host.vms()]


async def test_what_is_not_ours_is_shown_and_left_alone(world):
    host = world.host
    world.bench.put_foreign()
    before = await host.read(FOREIGN.id)
    assert before.stored == FOREIGN
    assert not before.seen.ours
    assert before.seen in await host.vms()
    for call in (host.define(replace(FOREIGN, cpus=2)), host.undefine(FOREIGN.id)):
        await refused("vm-foreign", call)
    for order in Order:
        await refused("vm-foreign", host.order(FOREIGN.id, order))
    assert await host.read(FOREIGN.id) == before


async def test_changes_from_outside_are_heard(world):
    async with watched(world):
        await world.host.define(world.web)
        await world.until(lambda change: change.id == ID and change.what == "defined")
        world.bench.outside(Order.START, ID)
        await world.until(lambda change: change.id == ID)
        assert await world.state() is VmState.RUNNING
        world.bench.outside(Order.OFF, ID)
        await world.until(lambda change: change.id == ID)
        world.bench.delete_outside(ID)
        await world.until(lambda change: change.id == ID and change.what == "undefined")
        await refused("vm-unknown", world.host.read(ID))


@pytest.mark.parametrize("bench", [QEMU], indirect=True)
async def test_a_disk_that_vanished_is_said_and_locks_nothing(world):
    await world.host.define(replace(world.web, disks=(Disk("sda", "/nonexistent/disk.raw"),)))
    error = await refused("vm-failed", world.host.order(ID, Order.START))
    assert "/nonexistent/disk.raw" in error.message
    assert await world.state() is VmState.OFF
    await world.host.define(world.web)
    await world.host.order(ID, Order.START)
    assert await world.state() is VmState.RUNNING


@pytest.mark.parametrize("bench", [MEMORY, QEMU], indirect=True)
async def test_a_host_that_was_lost_comes_back_with_its_vms(world, monkeypatch):
    monkeypatch.setattr(kvm, "LOOK_AGAIN", 0.5)
    host = world.host
    await host.define(world.web)
    await host.order(ID, Order.START)
    async with watched(world):
        world.bench.lose()
        await world.until(lambda change: change.id is None)
        for call in (host.vms(), host.order(ID, Order.PAUSE), host.look(), host.define(world.web)):
            await refused("host-unreachable", call)
        world.bench.bring_back()
        await world.until(lambda change: change.what == "the host answers")
        assert await world.state() is VmState.RUNNING, "it ran on"
        await host.order(ID, Order.PAUSE)
        assert await world.state() is VmState.PAUSED
        world.bench.outside(Order.OFF, ID)
        await world.until(lambda change: change.id == ID)
        await host.undefine(ID)


@pytest.mark.parametrize("bench", [QEMU], indirect=True)
async def test_a_host_that_hangs_keeps_nobody(world, monkeypatch):
    await world.host.define(world.web)
    other = world.bench.host()
    await other.vms()
    monkeypatch.setattr(kvm, "SECONDS", 0.5)
    world.bench.freeze()
    try:
        began = time.monotonic()
        calls = [refused("host-unreachable", world.host.read(ID)) for _ in range(10)]
        await asyncio.gather(*calls)
        await other.close()
        assert time.monotonic() - began < 10, "not one after the other, and not for ever"
    finally:
        world.bench.thaw()
    monkeypatch.setattr(kvm, "SECONDS", 30.0)
    assert await world.state() is VmState.OFF
    await refused("host-unreachable", other.vms())


@pytest.mark.parametrize("bench", [QEMU], indirect=True)
async def test_a_host_that_hangs_is_given_up_and_its_threads_come_back(world, monkeypatch):
    """By libvirt's own questions, with nobody's deadline in the way."""
    monkeypatch.setattr(connection, "KEEP_ALIVE", (1, 2))
    await world.host.define(world.web)
    async with watched(world):
        world.bench.freeze()
        try:
            began = time.monotonic()
            error = await refused("host-unreachable", world.host.read(ID))
            assert "within" not in error.message
            assert time.monotonic() - began < kvm.SECONDS - 2
            await world.until(lambda change: change.what == "the host does not answer")
        finally:
            world.bench.thaw()
        assert await world.state() is VmState.OFF


@pytest.mark.parametrize("address", ["qemu:///session?socket=/nonexistent/socket", "qemu:///session?socket=/dev/null"])
async def test_a_host_that_is_not_there(address):
    host = kvm.KvmHost(address, "me")
    await refused("host-unreachable", host.vms())
    await host.close()
