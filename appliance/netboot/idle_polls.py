"""The polls of idle machines, answered before a web server sees them.

Ten thousand machines ask two hundred times a second. What an agent sends for that is one whole, short request, and what
it is told is one word: parsing it, routing it and making a response of it cost more than to answer it. Everything else
that comes over a connection is the web server's, from there on for good.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

from appliance.errors import ApplianceError
from appliance.netboot.answers import error_text, status_of

IDLE_SECONDS = 75.0
"""How long a connection may be silent between two polls, as with the web server."""
EARLY_BYTES = 16 << 10
"""What may come while a poll is held, and waits for its end (RFC 9112 section 9.3.2); agents send nothing then."""
COME, WAIT = "come\n", "wait\n"

_POLL = re.compile(rb"GET /poll/([0-9a-f]{32}) HTTP/1\.1\r\n(?:[^\r\n]+\r\n)*\r\n")
_BEYOND_US = re.compile(rb"(?i)\n(?:connection|content-length|transfer-encoding|expect|upgrade)[ \t]*:")
"""Headers that change what is to be done; an agent's poll has none of them."""

Protocols = Callable[[], asyncio.Protocol]
Poll = Callable[[str], Awaitable[bool]]

log = logging.getLogger(__name__)


class IdlePolls:
    """Stands before the protocols of a web server."""

    def __init__(self, poll: Poll, answered: Callable[[int], None]) -> None:
        """``poll`` waits for work, or raises ApplianceError; ``answered`` is told the status of each answer."""
        self.poll, self.answered = poll, answered
        self.connections: set[_Connection] = set()
        """Those over which nothing but polls has come."""
        self.tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Answer until cancelled; before that, everything is left to the web server."""
        try:
            async with asyncio.TaskGroup() as self.tasks:
                await asyncio.Event().wait()
        finally:
            self.tasks = None

    def before(self, web: Protocols) -> Protocols:
        """Makes protocols that answer polls and leave all else to one of ``web``."""
        return lambda: _Connection(self, web)

    def close(self) -> None:
        """End the connections; who waits comes back to the next daemon."""
        for connection in tuple(self.connections):
            connection.end()


class _Connection(asyncio.Protocol):
    def __init__(self, polls: IdlePolls, web: Protocols) -> None:
        self._polls, self._make_web = polls, web
        self._web: asyncio.Protocol | None = None
        self._polling: asyncio.Task[None] | None = None
        self._silent: asyncio.TimerHandle | None = None
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are Transports in all but their class.
        self._transport = cast("asyncio.Transport", transport)
        self._polls.connections.add(self)
        self._listen()

    def data_received(self, data: bytes) -> None:
        if self._web is not None:
            self._web.data_received(data)
        elif self._polling is not None:
            self._early += data
            if len(self._early) > EARLY_BYTES:
                self.end()
        elif self._polls.tasks is not None and (poll := poll_of(data)):
            self._hush()
            self._polling = self._polls.tasks.create_task(self._answer(poll))
        else:
            self._leave_to_web(data)

    def eof_received(self) -> bool | None:
        return self._web.eof_received() if self._web is not None else None

    def pause_writing(self) -> None:
        if self._web is not None:
            self._web.pause_writing()

    def resume_writing(self) -> None:
        if self._web is not None:
            self._web.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self._polls.connections.discard(self)
        self._hush()
        if self._web is not None:
            self._web.connection_lost(error)
        if self._polling is not None:
            self._polling.cancel()

    def end(self) -> None:
        """At once; what was on its way is lost."""
        self._transport.abort()

    def _leave_to_web(self, data: bytes) -> None:
        self._hush()
        self._polls.connections.discard(self)
        self._web = self._make_web()
        self._web.connection_made(self._transport)
        self._web.data_received(data)

    def _listen(self) -> None:
        self._silent = asyncio.get_running_loop().call_later(IDLE_SECONDS, self.end)

    def _hush(self) -> None:
        if self._silent is not None:
            self._silent.cancel()
            self._silent = None

    async def _answer(self, poll: str) -> None:
        status, text = await self._said(poll)
        self._polling = None
        if self._transport.is_closing():
            return
        self._transport.write(response(status, text))
        self._polls.answered(status)
        self._listen()
        early, self._early = self._early, b""
        if early:
            self.data_received(early)

    async def _said(self, poll: str) -> tuple[int, str]:
        try:
            return 200, COME if await self._polls.poll(poll) else WAIT
        except ApplianceError as error:
            return status_of(error), error_text(error)
        except Exception:
            log.exception("a poll could not be answered")
            return 500, "the appliance has a defect; its log tells more\n"


def poll_of(data: bytes) -> str | None:
    """The poll id of what is one whole request of an agent and nothing else; None for whatever else it is."""
    found = _POLL.fullmatch(data)
    return None if found is None or _BEYOND_US.search(data) else found[1].decode()


def response(status: int, text: str) -> bytes:
    """An answer after which the connection stays open; with the date, which a server with a clock tells (RFC 9110)."""
    body = text.encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        f"Date: {formatdate(usegmt=True)}",
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body
