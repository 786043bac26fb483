"""Polls that are answered before the web server sees them, and everything that is left to it."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from http_serving import read_answer

from appliance.errors import ApplianceError, NotFound
from appliance.netboot import idle_polls
from appliance.netboot.idle_polls import IdlePolls, poll_of

ID = "0123456789abcdef" * 2
ASKING = f"GET /poll/{ID} HTTP/1.1\r\nHost: 10.77.0.1\r\nAccept-Encoding: identity\r\n\r\n".encode()
"""As http.client says it."""
GONE = (ConnectionError, asyncio.IncompleteReadError)


class Hall:
    """Polls that end when a test says so, before a web server that answers everything with its own word."""

    def __init__(self):
        self.asked, self.answered = [], Counter()
        self.left = 0
        """Connections that were left to the web server."""
        self.ends = asyncio.Queue()
        self.polls = IdlePolls(self._poll, lambda status: self.answered.update([status]))

    async def _poll(self, poll):
        self.asked.append(poll)
        end = await self.ends.get()
        if isinstance(end, Exception):
            raise end
        return end

    @asynccontextmanager
    async def open(self):
        async def word(request):
            return web.Response(text=f"web {request.path}")

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", word)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()

        def left():
            self.left += 1
            return runner.server()

        async with asyncio.TaskGroup() as group:
            running = group.create_task(self.polls.run())
            server = await asyncio.get_running_loop().create_server(self.polls.before(left), "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            try:
                yield reader, writer
            finally:
                writer.close()
                self.polls.close()
                server.close()
                running.cancel()
                await runner.cleanup()


@pytest.fixture
async def hall():
    async with asyncio.timeout(20):
        yield Hall()


@pytest.mark.parametrize(("end", "word"), [(False, b"wait\n"), (True, b"come\n")])
async def test_polls_are_answered_over_one_connection(hall, end, word):
    async with hall.open() as (reader, writer):
        for _ in range(3):
            writer.write(ASKING)
            hall.ends.put_nowait(end)
            answer = await read_answer(reader)
            assert (answer.status, answer.body) == (200, word)
            assert "date" in answer.headers
        assert len(hall.polls.connections) == 1
    assert hall.asked == [ID] * 3
    assert hall.answered == {200: 3}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("session-unknown", "this poll has ended", "restart the machine"), 404),
        (ApplianceError("store-stuck", "the disk does not answer"), 503),
        (ValueError("a defect"), 500),
    ],
)
async def test_an_error_is_told_and_the_connection_goes_on(hall, error, status):
    async with hall.open() as (reader, writer):
        for end, said in ((error, status), (False, 200)):
            writer.write(ASKING)
            hall.ends.put_nowait(end)
            assert (await read_answer(reader)).status == said
    assert hall.answered == {status: 1, 200: 1}


async def test_everything_else_is_the_web_servers_from_then_on(hall):
    async with hall.open() as (reader, writer):
        writer.write(ASKING)
        hall.ends.put_nowait(False)
        assert (await read_answer(reader)).body == b"wait\n"
        writer.write(b"GET /time HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await read_answer(reader)).body == b"web /time"
        assert not hall.polls.connections
        writer.write(ASKING)
        assert (await read_answer(reader)).body == f"web /poll/{ID}".encode()


async def test_a_request_in_pieces_is_answered_by_the_web_server(hall):
    async with hall.open() as (reader, writer):
        writer.write(ASKING[:30])
        await writer.drain()
        while not hall.left:
            await asyncio.sleep(0)
        writer.write(ASKING[30:])
        assert (await read_answer(reader)).body == f"web /poll/{ID}".encode()


async def test_what_comes_while_a_poll_is_held_waits_for_its_end(hall):
    async with hall.open() as (reader, writer):
        writer.write(ASKING)
        while not hall.asked:
            await asyncio.sleep(0)
        writer.write(b"GET /time HTTP/1.1\r\nHost: a\r\n\r\n")
        hall.ends.put_nowait(True)
        assert (await read_answer(reader)).body == b"come\n"
        assert (await read_answer(reader)).body == b"web /time"


async def test_who_sends_without_end_while_a_poll_is_held_is_cut_off(hall):
    async with hall.open() as (reader, writer):
        writer.write(ASKING)
        while not hall.asked:
            await asyncio.sleep(0)
        writer.write(b"x" * (idle_polls.EARLY_BYTES + 1))
        with pytest.raises(GONE):
            await reader.readexactly(1)


async def test_a_poll_ends_with_its_connection(hall):
    async with hall.open() as (_, writer):
        writer.write(ASKING)
        while not hall.asked:
            await asyncio.sleep(0)
        (connection,) = hall.polls.connections
        polling = connection._polling
        writer.close()
        await asyncio.wait([polling])
    assert polling.cancelled()


@pytest.mark.parametrize("said", [b"", ASKING])
async def test_silence_between_polls_ends_the_connection(hall, monkeypatch, said):
    monkeypatch.setattr(idle_polls, "IDLE_SECONDS", 0.05)
    hall.ends.put_nowait(False)
    async with hall.open() as (reader, writer):
        writer.write(said)
        if said:
            assert (await read_answer(reader)).status == 200
        with pytest.raises(GONE):
            await reader.readexactly(1)


@pytest.mark.parametrize(
    "said",
    [
        ASKING.replace(b"GET", b"HEAD"),
        ASKING.replace(b"1.1", b"1.0"),
        ASKING.replace(ID.encode(), ID.upper().encode()),
        ASKING.replace(ID.encode(), ID.encode() + b"0"),
        ASKING.replace(b"/poll", b"//poll"),
        ASKING.replace(b"Host:", b"Connection: close\r\nHost:"),
        ASKING.replace(b"Host:", b"content-length: 4\r\nHost:"),
        ASKING.replace(b"Host:", b"Transfer-Encoding : chunked\r\nHost:"),
        ASKING + ASKING,
        ASKING + b"x",
        ASKING[:-1],
        ASKING.replace(b"\r\n", b"\n"),
        b"",
    ],
)
def test_only_what_an_agent_sends_is_taken(said):
    assert poll_of(ASKING) == ID
    assert poll_of(said) is None
