"""The watch of links between a kernel that the test plays and the events that are told."""

import asyncio
import errno
import socket
import struct
from contextlib import asynccontextmanager

import pytest

from appliance.errors import ApplianceError
from appliance.events import Bus
from appliance.links import ASK_FOR_ALL
from appliance.reconcile import link_news, link_watch
from appliance.reconcile.link_watch import LinkWatch
from appliance.store.events import query
from appliance.store.store import open_store

DONE = struct.pack("=IHHIIi", 20, 3, 0, 0, 0, 0)
CUT = "no link on nic1: no machine can boot over it"
AGAIN = "link on nic1 again"


def said(carrier):
    name = struct.pack("=HH", 9, 3) + b"nic1\0\0\0\0"
    body = struct.pack("=BxHiII", 0, 1, 2, 0x10001 if carrier else 1, 0) + name
    return struct.pack("=IHHII", 16 + len(body), 16, 0, 0, 0) + body


class Overrun(socket.socket):
    """Fails once, when it is told to: the kernel had more to say than it could hold."""

    fails = 0

    def recv(self, *args):
        number, self.fails = self.fails, 0
        if number:
            raise OSError(number, "as the test wants it")
        return super().recv(*args)


class Kernel:
    """The other end of the socket that the watch has."""

    def __init__(self):
        self.opened = asyncio.Queue()

    def open(self):
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mine.setblocking(False)
        made = Overrun(fileno=theirs.detach())
        made.setblocking(False)
        self.theirs, self.mine = made, mine
        self.opened.put_nowait(mine)
        return made

    async def asked(self):
        """The end that was asked for everything."""
        assert await asyncio.get_running_loop().sock_recv(self.mine, 100) == ASK_FOR_ALL

    async def say(self, *messages):
        await asyncio.get_running_loop().sock_sendall(self.mine, b"".join(messages))


@pytest.fixture
async def world(tmp_path, monkeypatch):
    """(kernel, bus, store), and what watches in between."""
    monkeypatch.setattr(link_news, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(link_news, "START_SECONDS", 0.0)
    monkeypatch.setattr(link_watch, "AGAIN_SECONDS", 0.0)
    kernel = Kernel()
    monkeypatch.setattr(link_watch, "open_kernel", kernel.open)
    async with open_store(tmp_path / "store.db") as store:
        yield kernel, Bus(), store


@asynccontextmanager
async def watching(kernel, bus, store):
    watch = LinkWatch(store, bus, lambda: 7.0, ["nic1"])
    with bus.subscribe() as heard:
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(watch.run())
            await kernel.opened.get()
            await kernel.asked()
            yield watch, heard
            running.cancel()
    kernel.mine.close()


async def test_it_is_told_stored_and_shown(world):
    kernel, _, store = world
    async with watching(*world) as (watch, heard):
        await kernel.say(said(carrier=False), DONE)
        assert (await heard.get()).text == CUT
        assert watch.linked("nic1") is False
        assert watch.trouble("nic1") == f"{CUT}; plug the cable in, or switch the switch on"
        await kernel.say(said(carrier=True))
        assert (await heard.get()).text == AGAIN
        assert watch.linked("nic1") is True
        assert watch.trouble("nic1") == ""
        assert watch.linked("nic9") is None
    stored = await store.read(lambda db: query(db, kind="network.link"))
    assert [each.text for each in stored] == [AGAIN, CUT]
    assert stored[1].detail == {"interface": "nic1", "cables": ["nic1"], "condition": "cut"}
    assert stored[1].at == 7.0


async def test_nothing_is_judged_before_the_kernel_has_told_all(world):
    """Else every interface were gone until its turn came."""
    kernel, *_ = world
    async with watching(*world) as (watch, heard):
        await kernel.say(struct.pack("=IHHII", 16, 99, 0, 0, 0))
        await kernel.say(said(carrier=True), DONE)
        await kernel.say(said(carrier=False))
        assert (await heard.get()).text == CUT
        assert watch.linked("nic1") is False


@pytest.mark.parametrize("number", [errno.ENOBUFS, errno.EIO])
async def test_what_was_missed_is_asked_for_again(world, number, caplog):
    kernel, *_ = world
    async with watching(*world) as (_, heard):
        await kernel.say(said(carrier=True), DONE)
        first, kernel.theirs.fails = kernel.mine, number
        await kernel.say(said(carrier=True))
        if number != errno.ENOBUFS:
            await kernel.opened.get()
            first.close()
        await kernel.asked()
        await kernel.say(said(carrier=False), DONE)
        assert (await heard.get()).text == CUT
    assert ("cannot be told" in caplog.text) == (number != errno.ENOBUFS)


async def test_a_full_disk_keeps_nobody_from_hearing_it(world, caplog):
    kernel, bus, _ = world

    class Full:
        async def write(self, *_):
            raise ApplianceError("store-failed", "the disk is full")

    async with watching(kernel, bus, Full()) as (watch, heard):
        await kernel.say(said(carrier=False), DONE)
        told = await heard.get()
        assert (told.text, told.id) == (CUT, 0)
        assert watch.linked("nic1") is False
    assert "that is in no timeline: the disk is full" in caplog.text


def card(index, name):
    """A network card on a bus, as the kernel tells of it."""
    said = struct.pack("=HH", 5 + len(name), 3) + name + b"\0" * (4 - len(name) % 4)
    bus = struct.pack("=HH", 8, 56) + b"pci\0"
    body = struct.pack("=BxHiII", 0, 1, index, 1, 0) + said + bus
    return struct.pack("=IHHII", 16 + len(body), 16, 0, 0, 0) + body


async def test_a_card_that_arrives_is_told_of_and_what_was_there_only_once(world):
    kernel, *_ = world
    async with watching(*world) as (watch, _):
        arrived = asyncio.Queue()
        watch.arrived.append(lambda: arrived.put_nowait(None))
        await kernel.say(card(2, b"nic1"), DONE)
        await arrived.get()
        await kernel.say(said(carrier=True), card(2, b"nic1"), card(3, b"eth0"))
        await arrived.get()
        assert arrived.empty()
