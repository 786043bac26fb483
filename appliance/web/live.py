"""What happens, as it happens: one WebSocket per browser tab or program.

Messages are JSON objects with ``seq``, which is the same for all readers and grows, and ``kind``: ``hello`` (the first
message; its ``run`` and the latest ``seq`` go into the next connection as ``?run=&since=``, and what was missed is
sent), ``resync`` (what is shown may be old, load it anew), ``event`` (with ``event``), ``progress`` (with ``machine``,
``step``, ``progress``, ``message``).
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import cast

from aiohttp import WSCloseCode, web

from appliance.accounts import Role
from appliance.errors import ApplianceError
from appliance.web.auth import ACCOUNTS, PROOF
from appliance.web.doors import open_door
from appliance.web.feed import Fallen, Feed, hello, resync
from appliance.web.keys import SERVICES, USER

HEARTBEAT = 25.0
"""Seconds between pings; an answer is due within half of that."""
PATIENCE = 30.0
"""Seconds that a reader may leave what was sent to it unread."""
CHECK_EVERY = 60.0
"""Seconds after which a log-in that has ended ends its connection."""
GOODBYE = 1.0
"""Seconds that a client gets to confirm the end when we stop."""
MOST_PER_USER = 200
"""Connections of one user at the same time."""
LARGEST_MESSAGE = 1024
"""Bytes; nothing is expected from the client."""

FEED = web.AppKey("feed", Feed)
"""``request.app[FEED]``: what readers read from."""
_SOCKETS = web.AppKey("sockets", dict[web.WebSocketResponse, str])
"""With the name of whose they are."""


class _EndedError(Exception):
    """The connection is over: ends its task group, is no error."""


def add_routes(app: web.Application) -> None:
    """``/live`` for the console, ``/api/v1/live`` for programs."""
    app[_SOCKETS] = {}
    app[FEED] = Feed()
    for path in ("/live", "/api/v1/live"):
        open_door(app, "GET", path, answer, Role.VIEWER)
    app.cleanup_ctx.append(_listening)
    app.on_shutdown.append(_close_all)


async def _listening(app: web.Application) -> AsyncIterator[None]:
    with app[FEED].listening(app[SERVICES].bus):
        yield


async def answer(request: web.Request) -> web.WebSocketResponse:
    """Tell the client what is published until either side goes away; raises ApplianceError ``live-too-many``."""
    _check_number(request)
    # Compression would cost every reader a window of its own, and every message the work anew for each of them.
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=LARGEST_MESSAGE, compress=False)
    await socket.prepare(request)
    feed = request.app[FEED]
    request.app[_SOCKETS][socket] = request[USER].name
    feed.readers += 1
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_until_closed(socket), name="live reader")
            tasks.create_task(_until_logged_out(request, socket), name="live log-in")
            tasks.create_task(_tell(request, socket, feed), name="live teller")
    except* _EndedError:
        pass
    except* (ConnectionError, TimeoutError):
        _drop(request)
    finally:
        feed.readers -= 1
        del request.app[_SOCKETS][socket]
    return socket


def _check_number(request: web.Request) -> None:
    """Nobody may take all files that the daemon can open: machines could not boot any more."""
    mine = sum(name == request[USER].name for name in request.app[_SOCKETS].values())
    if mine >= MOST_PER_USER:
        hint = "close some tabs, or end programs that were forgotten"
        raise ApplianceError("live-too-many", f"{request[USER].name} has {mine} live connections already", hint)


async def _tell(request: web.Request, socket: web.WebSocketResponse, feed: Feed) -> None:
    """Runs until cancelled; raises TimeoutError for a reader that does not read."""
    missed = _position(request, feed)
    position = feed.seq if missed is None else missed
    greeting = [hello(feed.run, position)] + ([resync(position)] if missed is None else [])
    await _send(request, socket, greeting)
    while True:
        await feed.news(position)
        try:
            frames, position = feed.after(position, _role(request))
        except Fallen:
            position = feed.seq
            frames = [resync(position)]
        await _send(request, socket, frames)
        await asyncio.sleep(0)  # a reader with much to catch up gives the others their turn


def _role(request: web.Request) -> Role:
    """What the reader may see by now."""
    return request[USER].role


def _position(request: web.Request, feed: Feed) -> int | None:
    """The number after which the client wants to go on; None where it has to load everything."""
    since = request.query.get("since", "")
    if request.query.get("run") != feed.run or not (since.isascii() and since.isdecimal() and len(since) < 16):
        return None
    return int(since) if feed.has(int(since)) else None


async def _send(request: web.Request, socket: web.WebSocketResponse, frames: Sequence[bytes]) -> None:
    """Frames are the same for every reader, so that they go to the connection as they are, all in one write.

    aiohttp would make each of them anew for each reader, which is four times the work.
    """
    transport = request.transport
    if socket.closed or transport is None or transport.is_closing():
        raise _EndedError  # nothing may follow a close frame (RFC 6455 section 5.5.1)
    cast("asyncio.WriteTransport", transport).write(b"".join(frames))
    async with asyncio.timeout(PATIENCE):
        await request.writer.drain()


async def _until_closed(socket: web.WebSocketResponse) -> None:
    async for _ in socket:
        pass  # clients have nothing to say; reading is what answers their pings
    raise _EndedError


async def _until_logged_out(request: web.Request, socket: web.WebSocketResponse) -> None:
    """An open tab is not use: the log-in's clock goes on while it only listens."""
    accounts, proof = request.app[ACCOUNTS], request[PROOF]
    while True:
        known = accounts.access.changes  # before the look: what changes during it is looked at next
        role = await accounts.role_of(proof)
        if role is None:
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"the log-in has ended")
            raise _EndedError
        request[USER] = replace(proof.asker, role=role)
        await accounts.access.news(known, CHECK_EVERY)


def _drop(request: web.Request) -> None:
    """Whatever a silent reader left unsent is thrown away with its connection."""
    if request.transport is not None:
        request.transport.abort()


async def _close_all(app: web.Application) -> None:
    sockets = tuple(app[_SOCKETS].keys())
    async with asyncio.TaskGroup() as tasks:
        for socket in sockets:
            tasks.create_task(_say_goodbye(socket), name="live goodbye")


async def _say_goodbye(socket: web.WebSocketResponse) -> None:
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(GOODBYE):
            await socket.close(code=WSCloseCode.GOING_AWAY, message=b"the appliance stops")
