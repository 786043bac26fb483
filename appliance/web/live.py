"""What happens, as it happens: one WebSocket per browser tab or program.

Messages are JSON objects with ``seq``, which counts from 1 on this connection, and ``kind``:
``resync`` (what was shown may be old, load it anew; the first message, and after messages were dropped),
``event`` (with ``event``), ``progress`` (with ``machine``, ``step``, ``progress``, ``message``).
"""

import asyncio
from contextlib import suppress
from typing import Any

import msgspec
from aiohttp import WSCloseCode, web

from appliance.accounts import Role
from appliance.events import Event, Published, Subscription
from appliance.web.auth import ACCOUNTS, token_of
from appliance.web.doors import open_door
from appliance.web.keys import SERVICES

HEARTBEAT = 25.0
"""Seconds between pings; an answer is due within half of that."""
HELD = 256
"""Messages that wait for a slow reader; beyond that it is told to load anew."""
PATIENCE = 30.0
"""Seconds that a reader may leave what was sent to it unread."""
CHECK_EVERY = 60.0
"""Seconds after which a log-in that has ended ends its connection."""
GOODBYE = 1.0
"""Seconds that a client gets to confirm the end when we stop."""
LARGEST_MESSAGE = 1024
"""Bytes; nothing is expected from the client."""

_SOCKETS = web.AppKey("sockets", set[web.WebSocketResponse])


class _EndedError(Exception):
    """The connection is over: ends its task group, is no error."""


def add_routes(app: web.Application) -> None:
    """``/live`` for the console, ``/api/v1/live`` for programs."""
    app[_SOCKETS] = set[web.WebSocketResponse]()
    for path in ("/live", "/api/v1/live"):
        open_door(app, "GET", path, answer, Role.VIEWER)
    app.on_shutdown.append(_close_all)


async def answer(request: web.Request) -> web.WebSocketResponse:
    """Tell the client what is published until either side goes away."""
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=LARGEST_MESSAGE)
    with request.app[SERVICES].bus.subscribe(HELD) as subscription:
        await socket.prepare(request)
        request.app[_SOCKETS].add(socket)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_until_closed(socket), name="live reader")
                tasks.create_task(_until_logged_out(request, socket), name="live log-in")
                tasks.create_task(_Teller(socket, subscription).run(), name="live teller")
        except* _EndedError:
            pass
        except* (ConnectionError, TimeoutError):
            _drop(request)
        finally:
            request.app[_SOCKETS].discard(socket)
    return socket


class _Teller:
    """Sends what a subscription holds, numbered."""

    def __init__(self, socket: web.WebSocketResponse, subscription: Subscription) -> None:
        self._socket, self._subscription = socket, subscription
        self._seq = 0
        self._lost = 0

    async def run(self) -> None:
        """Runs until cancelled; raises TimeoutError for a reader that does not read."""
        await self._send({"kind": "resync"})
        while True:
            item = await self._subscription.get()
            if self._subscription.lost != self._lost:
                self._lost = self._subscription.lost
                self._subscription.clear()  # all of it is older than what the client is about to load
                await self._send({"kind": "resync"})
            else:
                await self._send(message_of(item))

    async def _send(self, message: dict[str, Any]) -> None:
        self._seq += 1
        text = msgspec.json.encode({"seq": self._seq, **message}).decode()
        async with asyncio.timeout(PATIENCE):
            await self._socket.send_str(text)


def message_of(item: Published) -> dict[str, Any]:
    """What was published, as a message without its number."""
    if isinstance(item, Event):
        return {"kind": "event", "event": item}
    progress: dict[str, Any] = msgspec.to_builtins(item)
    return {"kind": "progress", **progress}


async def _until_closed(socket: web.WebSocketResponse) -> None:
    async for _ in socket:
        pass  # clients have nothing to say; reading is what answers their pings
    raise _EndedError


async def _until_logged_out(request: web.Request, socket: web.WebSocketResponse) -> None:
    """An open tab is not use: the log-in's clock goes on while it only listens."""
    token, accounts = token_of(request)[0] or "", request.app[ACCOUNTS]
    while True:
        await asyncio.sleep(CHECK_EVERY)
        if not await accounts.lives(token):
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"the log-in has ended")
            raise _EndedError


def _drop(request: web.Request) -> None:
    """Whatever a silent reader left unsent is thrown away with its connection."""
    if request.transport is not None:
        request.transport.abort()


async def _close_all(app: web.Application) -> None:
    sockets = app[_SOCKETS].copy()
    async with asyncio.TaskGroup() as tasks:
        for socket in sockets:
            tasks.create_task(_say_goodbye(socket), name="live goodbye")


async def _say_goodbye(socket: web.WebSocketResponse) -> None:
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(GOODBYE):
            await socket.close(code=WSCloseCode.GOING_AWAY, message=b"the appliance stops")
