"""What every driver promises of the consoles of its VMs: they are talked to, in a real QEMU, too."""

import asyncio
import struct
from dataclasses import replace

import pytest
from hypervisor_bench import FOREIGN, MemoryBench, QemuBench

from appliance.errors import Conflict
from appliance.hypervisor.consoles import ConsoleKind
from appliance.vm import Bus, Cdrom, Disk, Order, Vm, VmId
from tests.contract.refusal import refused

ID = VmId("658ecf7d-31a1-4e67-8b1b-5e94b28c141e")
NOBODY = VmId("00000000-1111-4222-8333-444444444444")
WEB = Vm(ID, "web1", 1, 64 << 20, (), (Cdrom("sdb"),), boot=("sdb",))
SCREEN, SERIAL = ConsoleKind.SCREEN, ConsoleKind.SERIAL
MEMORY = pytest.param(MemoryBench, id="memory")
QEMU = pytest.param(QemuBench, id="libvirt-qemu", marks=[pytest.mark.vm, pytest.mark.slow])
SPEAKS = "RFB 003.008\n"
ECHO = (
    bytes.fromhex(
        "fa31c08ed8be347cac84c07405e81300ebf6"  # says what stands at its end (7c34)
        "bafd03eca80174fbbaf803ece80200ebef"  # for ever: waits for a character (line status, 3fd), reads and says it
        "88c4bafd03eca82074fb88e0baf803eec3"  # waits until it can be sent, and sends it (3f8)
    )
    + b"hello\r\n\0"
)
"""The first sector of a disk, for BIOS: says back on the serial line what it hears there."""


class World:
    def __init__(self, bench):
        self.bench, self.host = bench, bench.host()

    async def begin(self, vm=WEB):
        await self.host.define(vm)
        await self.host.order(vm.id, Order.START)

    async def open(self, kind, key=ID):
        return await asyncio.open_connection(sock=await self.host.consoles.open(key, kind))


@pytest.fixture(params=[MEMORY, QEMU])
def bench(request):
    made = request.param()
    yield made
    made.close()


@pytest.fixture
async def world(bench):
    made = World(bench)
    yield made
    await made.host.close()


async def greeted(reader, writer):
    """Through the handshake of RFB; the size of the screen and its name."""
    assert await reader.readexactly(12) == SPEAKS.encode()
    writer.write(SPEAKS.encode())
    kinds = await reader.readexactly(1)
    assert 1 in await reader.readexactly(kinds[0]), "security without a password"
    writer.write(b"\x01")
    assert await reader.readexactly(4) == bytes(4)
    writer.write(b"\x01")
    width, height, length = struct.unpack(">HH16xI", await reader.readexactly(24))
    return width, height, (await reader.readexactly(length)).decode()


async def opened(world):
    """The serial line, or None while it is taken."""
    try:
        return await world.open(SERIAL)
    except Conflict as error:
        assert_code(error, "serial-taken")
        return None


def assert_code(error, code):
    assert error.code == code, error.message


async def test_a_screen_is_looked_at_by_several(world):
    async with asyncio.timeout(60):
        await world.begin()
        both = [await world.open(SCREEN) for _ in range(2)]
        for reader, writer in both:
            width, height, name = await greeted(reader, writer)
            assert "web1" in name
            writer.write(struct.pack(">BxH", 2, 1) + struct.pack(">i", 0))  # raw rectangles
            writer.write(struct.pack(">BBHHHH", 3, 0, 0, 0, width, height))
            kind, rectangles = struct.unpack(">BxH", await reader.readexactly(4))
            assert (kind, rectangles > 0) == (0, True), "each has a picture of their own"
        for _, writer in both:
            writer.close()


async def test_a_screen_ends_with_its_vm(world):
    async with asyncio.timeout(60):
        await world.begin()
        reader, writer = await world.open(SCREEN)
        await greeted(reader, writer)
        await world.host.order(ID, Order.OFF)
        while await reader.read(65536):
            pass
        writer.close()


async def test_a_serial_line_is_one_readers_and_free_afterwards(world):
    async with asyncio.timeout(60):
        await world.begin()
        reader, writer = await world.open(SERIAL)
        await refused("serial-taken", world.host.consoles.open(ID, SERIAL))
        writer.close()
        while (free := await opened(world)) is None:  # the host hears of the end a moment later
            await asyncio.sleep(0.02)
        reader, writer = free
        await world.host.order(ID, Order.OFF)
        while await reader.read(65536):
            pass
        writer.close()


async def test_a_console_of_what_is_off_is_refused(world):
    await world.host.define(WEB)
    for kind in ConsoleKind:
        error = await refused("vm-state", world.host.consoles.open(ID, kind))
        assert "off" in error.message


async def test_a_console_of_what_is_not_there_or_not_ours_is_refused(world):
    world.bench.put_foreign()
    world.bench.outside(Order.START, FOREIGN.id)
    for kind in ConsoleKind:
        await refused("vm-unknown", world.host.consoles.open(NOBODY, kind))
        await refused("vm-foreign", world.host.consoles.open(FOREIGN.id, kind))


async def test_a_console_of_a_host_that_is_lost_is_refused(world):
    await world.begin()
    world.bench.lose()
    try:
        for kind in ConsoleKind:
            await refused("host-unreachable", world.host.consoles.open(ID, kind))
    finally:
        world.bench.bring_back()


@pytest.mark.parametrize("bench", [MEMORY], indirect=True)
async def test_a_serial_line_answers(world):
    await world.begin()
    reader, writer = await world.open(SERIAL)
    assert await reader.readuntil(b": ") == b"\r\nweb1 login: "
    writer.write(b"eva\r")
    assert await reader.readuntil(b"called eva\r\n")
    writer.close()


@pytest.mark.parametrize("bench", [QEMU], indirect=True)
async def test_what_is_typed_reaches_the_vm_and_comes_back(world):
    """A whole way there and back, with more than any buffer between holds."""
    with open(world.bench.disk, "r+b") as disk:
        disk.write(ECHO.ljust(510, b"\0") + b"\x55\xaa")
    vm = replace(WEB, disks=(Disk("sda", world.bench.disk, Bus.SATA),), cdroms=(), boot=("sda",))
    async with asyncio.timeout(100):
        await world.host.define(vm)
        await world.host.order(ID, Order.START)
        reader, writer = await world.open(SERIAL)
        await reader.readuntil(b"hello\r\n")
        said = b"0123456789abcdef" * 4096  # more than any buffer on the way holds
        writer.write(said)
        assert await reader.readexactly(len(said)) == said
        writer.close()
