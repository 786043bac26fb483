"""Many large files at once: pieces of them go out in turn, and everything else in between."""

import asyncio
import socket
from collections import Counter

import pytest
from aiohttp import web
from http_serving import served

from appliance.netboot import sending
from appliance.netboot.sending import SENT, Sent, send_file
from appliance.netboot.turns import AT_ONCE, Turns

SIZE = 3 << 20
READERS = 2 * AT_ONCE


@pytest.fixture
async def calls():
    async with asyncio.timeout(60):
        yield []


async def until_quiet():
    """Let the loop go round until nothing is left to do."""
    for _ in range(READERS):
        await asyncio.sleep(0)


async def test_some_go_at_once_in_the_order_in_which_they_asked(calls):
    turns = Turns()
    for number in range(2 * AT_ONCE + 1):
        turns.ask(lambda number=number: calls.append(number))
    await asyncio.sleep(0)
    assert calls == list(range(AT_ONCE)), "and then the loop looks at everything else"
    await until_quiet()
    assert calls == list(range(2 * AT_ONCE + 1))


async def test_who_asks_in_its_turn_gets_another(calls):
    turns = Turns()

    def twice():
        calls.append(len(calls))
        if len(calls) < 3:
            turns.ask(twice)

    turns.ask(twice)
    await until_quiet()
    assert calls == [0, 1, 2]


def giving(path, sent):
    """A server that gives one file."""

    async def give(request):
        return await send_file(request, path)

    app = web.Application()
    app[SENT] = sent
    app.router.add_get("/file", give)
    return app


async def test_many_readers_get_their_files_whole_in_turns(tmp_path, monkeypatch, calls):
    (tmp_path / "file").write_bytes(bytes(range(256)) * (SIZE // 256))
    monkeypatch.setattr(sending, "CHUNK", 64 << 10)
    sent, waited = Sent(), Counter()
    ask = sent.turns.ask
    monkeypatch.setattr(sent.turns, "ask", lambda send: (waited.update(["turns"]), ask(send)))
    async with served(giving(tmp_path / "file", sent)) as port:
        bodies = await asyncio.gather(*(body(port) for _ in range(READERS)))
    assert all(each == (tmp_path / "file").read_bytes() for each in bodies)
    assert sent.bytes == READERS * SIZE
    assert waited["turns"] > READERS
    assert (sent.turns.transfers, sent.turns.are_needed) == (0, False)


async def test_a_reader_that_leaves_is_given_no_turn(tmp_path, calls):
    (tmp_path / "file").write_bytes(bytes(SIZE * 8))
    sent = Sent()
    sent.turns.transfers = AT_ONCE
    async with served(giving(tmp_path / "file", sent)) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n")
        while sent.turns.transfers == AT_ONCE:
            await asyncio.sleep(0)
        assert sent.turns.are_needed
        writer.transport.abort()
        while sent.turns.transfers > AT_ONCE:
            await asyncio.sleep(0.01)


async def body(port):
    """Of an answer that is read in small pieces."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    writer.write(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    content = await reader.readexactly(SIZE)
    writer.close()
    return content
