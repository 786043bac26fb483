"""A viewer of a console that does not read: what is held for it is bounded, and nobody else notices."""

import asyncio
import contextlib
import socket

import pytest
import uvloop
from consoles_world import open_consoles

from appliance.web.console_door import SESSIONS
from appliance.web.console_viewer import IN_KERNEL, UNSENT

PIECE = bytes(64 << 10)
READ_AT_ONCE = 256 << 10
"""What an event loop reads in one piece, at most."""
WITHOUT_END = 128 << 20
OF_KERNELS = 16 << 20
"""What sockets on the way may hold besides, at most: of TCP both ends grow theirs."""


class Flood:
    """A screen that says as much as it is let."""

    def __init__(self):
        self.taken = []

    async def open(self, key, kind):
        outer, inner = socket.socketpair()
        for each in (outer, inner):
            each.setblocking(False)
        self.taken.append(0)
        self.tasks.create_task(self._say(inner, len(self.taken) - 1))
        return outer

    async def _say(self, line, number):
        loop = asyncio.get_running_loop()
        with line, contextlib.suppress(OSError):
            while self.taken[number] < WITHOUT_END:
                await loop.sock_sendall(line, PIECE)
                self.taken[number] += len(PIECE)

    async def settled(self, number):
        """How much was taken, once it is not taken any more."""
        while True:
            before = self.taken[number]
            await asyncio.sleep(0.5)
            if self.taken[number] == before > 0:
                return before


async def stalls(tmp_path):
    async with open_consoles(tmp_path) as consoles, asyncio.TaskGroup() as tasks:
        flood = Flood()
        flood.tasks = tasks
        consoles.door.open_console = flood.open
        idle = await consoles.open("screen")
        taken = await flood.settled(0)
        (viewer,) = consoles.world.client.server.app[SESSIONS].viewers
        assert viewer.waiting <= UNSENT + READ_AT_ONCE
        assert taken <= UNSENT + IN_KERNEL + READ_AT_ONCE + OF_KERNELS

        other = await consoles.open("screen")
        read = 0
        while read < 32 << 20:
            read += len((await other.receive(timeout=10)).data)
        assert flood.taken[0] == taken, "the one waits, the other does not"

        read = 0
        while read < taken + (8 << 20):
            read += len((await idle.receive(timeout=10)).data)
        for each in (other, idle):
            each._response.connection.transport.abort()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_who_does_not_read_stops_what_feeds_them_and_nobody_else(tmp_path, run):
    async def bounded():
        async with asyncio.timeout(100):
            await stalls(tmp_path)

    run(bounded())


async def typed_without_end(tmp_path):
    """A VM that reads nothing: what is typed waits at its viewer, in the end."""
    async with open_consoles(tmp_path) as consoles:
        outer, inner = socket.socketpair()
        outer.setblocking(False)

        async def opens(key, kind):
            return outer

        consoles.door.open_console = opens
        with inner:
            socket_ = await consoles.open("screen")
            sent = 0
            with contextlib.suppress(TimeoutError):
                while sent < 64 << 20:
                    async with asyncio.timeout(2):
                        await socket_.send_bytes(PIECE)
                    sent += len(PIECE)
            assert 0 < sent < OF_KERNELS
            socket_._response.connection.transport.abort()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_vm_that_takes_nothing_is_not_typed_for(tmp_path, run):
    run(typed_without_end(tmp_path))
