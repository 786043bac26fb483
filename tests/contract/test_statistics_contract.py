"""What every driver of hosts promises of what VMs use, and of what is on their screens."""

import struct
import threading

import pytest
from hypervisor_bench import FOREIGN, LibvirtBench, MemoryBench, QemuBench

from appliance.errors import ApplianceError
from appliance.hypervisor import connection, screenshots, statistics
from appliance.vm import Disk, Order, Vm, VmId
from tests.contract.refusal import refused

ID = VmId("658ecf7d-31a1-4e67-8b1b-5e94b28c141e")
NOBODY = VmId("00000000-1111-4222-8333-444444444444")
QEMU = pytest.param(QemuBench, id="libvirt-qemu", marks=[pytest.mark.vm, pytest.mark.slow])


class World:
    def __init__(self, bench):
        self.bench, self.host = bench, bench.host()

    async def started(self):
        await self.host.define(Vm(ID, "web1", 1, 64 << 20, (Disk("sda", self.bench.disk),), boot=("sda",)))
        await self.host.order(ID, Order.START)

    async def usage(self, key=ID):
        return {each.id: each for each in await self.host.statistics()}.get(key)


@pytest.fixture(params=[pytest.param(MemoryBench, id="memory"), pytest.param(LibvirtBench, id="libvirt-test"), QEMU])
async def world(request):
    bench = request.param()
    made = World(bench)
    yield made
    await made.host.close()
    bench.close()


async def test_a_vm_that_runs_is_counted_and_one_that_is_off_is_there(world):
    assert await world.usage() is None
    await world.host.define(Vm(ID, "web1", 1, 64 << 20, (Disk("sda", world.bench.disk),), boot=("sda",)))
    assert (await world.usage()).run is None
    await world.host.order(ID, Order.START)
    assert (await world.usage()).run is not None


async def test_each_start_is_another_run(world):
    await world.started()
    first = (await world.usage()).run
    assert (await world.usage()).run == first
    await world.host.order(ID, Order.OFF)
    await world.host.order(ID, Order.START)
    assert (await world.usage()).run not in (first, None)


async def test_others_vms_are_counted_too(world):
    world.bench.put_foreign()
    assert (await world.usage(FOREIGN.id)).run is None


async def test_a_screen_is_shown_as_png_and_only_where_there_is_one(world):
    await world.started()
    picture = await world.host.screenshot(ID)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert min(struct.unpack_from(">II", picture, 16)) > 0
    await world.host.order(ID, Order.OFF)
    await refused("vm-state", world.host.screenshot(ID))
    await refused("vm-unknown", world.host.screenshot(NOBODY))


@pytest.mark.vm
@pytest.mark.slow
async def test_qemu_counts_everything():
    bench = QemuBench()
    world = World(bench)
    try:
        await world.started()
        found = await world.usage()
        assert found.cpu > 0
        assert 1 << 20 < found.memory < 1 << 30
        assert [each.target for each in found.disks] == ["sda"]
        assert found.nics == ()
    finally:
        await world.host.close()
        bench.close()


@pytest.fixture
def stuck(monkeypatch):
    """A host whose libvirt answers nothing of that until it is set free."""
    free, asked = threading.Event(), threading.Semaphore(0)

    def hang(*args):
        asked.release()
        free.wait(60)
        return ()

    monkeypatch.setattr(statistics, "_counted", hang)
    monkeypatch.setattr(screenshots, "_received", lambda *args: hang() or b"")
    monkeypatch.setattr(statistics, "SECONDS", 0.2)
    monkeypatch.setattr(screenshots, "SECONDS", 0.2)
    yield asked
    free.set()


async def test_a_host_that_hangs_costs_one_thread_however_often_it_is_asked(stuck):
    bench = LibvirtBench()
    world = World(bench)
    await world.started()
    for _ in range(connection.THREADS + 2):
        await refused("host-unreachable", world.host.statistics())
        await refused("host-unreachable", world.host.screenshot(ID))
    assert stuck.acquire(timeout=5)
    assert stuck.acquire(timeout=5)
    assert not stuck.acquire(blocking=False), "each was asked more than once"
    assert len(await world.host.vms()) == 2, "no thread is left for anything else"
    await world.host.close()
    bench.close()


class Stream:
    """One of libvirt's, with what it gives."""

    def __init__(self, *pieces):
        self.pieces, self.ended = [*pieces, b""], ""

    def recv(self, most):
        piece = self.pieces.pop(0)
        assert len(piece) <= most
        return piece

    def finish(self):
        self.ended = "finished"

    def abort(self):
        self.ended = "aborted"


class Shows:
    def __init__(self, kind):
        self.kind = kind

    def screenshot(self, stream, number):
        return self.kind


def test_an_old_qemu_sends_ppm_which_becomes_png():
    stream = Stream(b"P6\n2 1\n255\n", bytes(6))
    assert screenshots._received(stream, Shows("image/x-portable-pixmap")).startswith(b"\x89PNG")
    assert stream.ended == "finished"


@pytest.mark.parametrize(
    ("kind", "pieces", "code"),
    [
        ("image/png", [bytes(1 << 18)] * 40, "screenshot-large"),
        ("image/x-portable-pixmap", [b"P6 99999 2 255\n"], "screenshot-large"),
        ("image/x-portable-pixmap", [b"<html>"], "screenshot-unreadable"),
        ("text/html", [], "screenshot-unreadable"),
    ],
)
def test_what_is_no_picture_is_not_read_to_its_end(kind, pieces, code):
    stream = Stream(*pieces)
    with pytest.raises(ApplianceError) as raised:
        screenshots._received(stream, Shows(kind))
    assert (raised.value.code, stream.ended) == (code, "aborted")


async def test_a_host_in_memory_counts_what_it_was_set_to():
    bench = MemoryBench()
    world = World(bench)
    await world.started()
    bench.memory.uses[ID] = statistics.usage(ID, 9, {"cpu.time": 5, "block.count": 0})
    assert ((await world.usage()).cpu, (await world.usage()).run) == (5, 1)
