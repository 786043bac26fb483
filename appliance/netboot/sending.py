"""Large files over plain HTTP, handed from disk to socket by the kernel.

uvloop has no ``loop.sendfile`` and aiohttp then copies in Python without a word; so ``os.sendfile`` is driven here.
"""

import asyncio
import errno
import logging
import os
import re
from pathlib import Path
from typing import cast

from aiohttp import hdrs, web

from appliance.errors import NotFound
from appliance.netboot.turns import Turns

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE)

CHUNK = 4 << 20
"""Bytes per system call, where a socket has room for them: a thousand readers cost twice as much by single megabytes.
It bounds how long one reader keeps the loop, to a millisecond or two."""
STALLED_SECONDS = 300.0
"""How long a reader may take nothing: an agent does so while a slow disk flushes what it wrote."""

_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN)
"""What the network says of a reader that is gone, besides ConnectionError and TimeoutError."""

log = logging.getLogger(__name__)


class Sent:
    """How much was sent, of all files of one site."""

    def __init__(self) -> None:
        self.bytes = 0
        self.turns = Turns()


SENT = web.AppKey("sent", Sent)
"""``app[SENT]``: where a site that has it counts."""


async def send_file(
    request: web.Request, path: Path, content_type: str = "application/octet-stream"
) -> web.StreamResponse:
    """Answer GET or HEAD with the file or the part that Range asks for (RFC 9110 section 14).

    Raises NotFound. A transfer that cannot go on ends its own connection and nothing else.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise NotFound("file-unknown", f"{request.path[:200]} is not here") from error
    try:
        return await _answer(request, descriptor, content_type)
    finally:
        os.close(descriptor)


async def _answer(request: web.Request, descriptor: int, content_type: str) -> web.StreamResponse:
    size = os.fstat(descriptor).st_size
    wanted = _wanted(request, size)
    partial = wanted is not None
    start, stop = wanted or (0, size)
    if partial and start >= stop:
        return web.Response(status=416, headers={hdrs.CONTENT_RANGE: f"bytes */{size}"})
    response = web.StreamResponse(status=206 if partial else 200)
    response.content_type = content_type
    response.content_length = stop - start
    response.headers[hdrs.ACCEPT_RANGES] = "bytes"
    if partial:
        response.headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{stop - 1}/{size}"
    await response.prepare(request)
    if request.method != hdrs.METH_HEAD:
        try:
            await _send(request, descriptor, start, stop)
        except OSError as error:
            _give_up(request, error)
    # No write_eof: the length is stated, and what aiohttp would write is nothing.
    return response


def _give_up(request: web.Request, error: OSError) -> None:
    """End the connection: the header is out, so that nothing else can be said on it."""
    if not isinstance(error, ConnectionError | TimeoutError) and error.errno not in _UNREACHABLE:
        log.error("sending %s: %s", request.path[:200], error.strerror)  # a reader that left would be no news
    if request.transport is not None:
        request.transport.abort()


def _wanted(request: web.Request, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last that Range asks for, equal where it cannot be had; None for the whole.

    Section 14.2: Range means nothing to HEAD, and what we do not understand (other units, several ranges) is
    ignored. If-Range names a version, and we tell none that it could name (section 13.1.5).
    """
    match = _RANGE.fullmatch(request.headers.get(hdrs.RANGE, ""))
    if request.method != hdrs.METH_GET or hdrs.IF_RANGE in request.headers or not match or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    stop = min(int(last) + 1, size) if last else size
    return min(int(first), stop), stop


async def _send(request: web.Request, descriptor: int, start: int, stop: int) -> None:
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError
    await _flushed(request)
    if transport.is_closing():
        raise ConnectionResetError
    # A descriptor of our own: uvloop does not let others watch the one that it reads from.
    socket = os.dup(transport.get_extra_info("socket").fileno())
    try:
        await _Sending(socket, descriptor, start, stop, request.app.get(SENT) or Sent()).whole()
    finally:
        os.close(socket)


class _Sending:
    """A part of a file on its way into a socket: a piece whenever there is room for one, and others in between."""

    def __init__(self, socket: int, file: int, start: int, stop: int, total: Sent) -> None:
        self._socket, self._file, self._at, self._stop, self._total = socket, file, start, stop, total
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._moved_at = self._loop.time()

    async def whole(self) -> None:
        """Until all of it is in the socket; raises OSError, and TimeoutError for a reader that takes nothing."""
        self._send()  # of a small file that is all
        self._total.turns.transfers += 1
        self._loop.add_writer(self._socket, self._has_room)
        try:
            while not self._over.done():
                left = self._moved_at + STALLED_SECONDS - self._loop.time()
                if left <= 0:
                    raise TimeoutError
                await asyncio.wait((self._over,), timeout=left)
        finally:
            self._total.turns.transfers -= 1
            self._loop.remove_writer(self._socket)
            self._over.cancel()  # for the turn that may still come; where it is over, that changes nothing
        self._over.result()

    def _has_room(self) -> None:
        if self._total.turns.are_needed:
            self._loop.remove_writer(self._socket)
            self._total.turns.ask(self._take_turn)
        else:
            self._send()

    def _take_turn(self) -> None:
        self._send()
        if not self._over.done():
            self._loop.add_writer(self._socket, self._has_room)

    def _send(self) -> None:
        if self._over.done():
            return
        try:
            sent = os.sendfile(self._socket, self._file, self._at, min(CHUNK, self._stop - self._at))
        except BlockingIOError:
            return
        except OSError as error:
            self._over.set_exception(error)
            return
        self._at += sent
        self._total.bytes += sent
        self._moved_at = self._loop.time()
        if self._at >= self._stop:
            self._over.set_result(None)
        elif sent == 0:
            self._over.set_exception(OSError(errno.ENODATA, "it is shorter than it was when the answer began"))


async def _flushed(request: web.Request) -> None:
    """Wait until the header has left the transport's buffer, since the kernel's copy would overtake it."""
    # uvloop's transports are WriteTransports in all but their class.
    cast("asyncio.WriteTransport", request.transport).set_write_buffer_limits(high=0)
    async with asyncio.timeout(STALLED_SECONDS):
        await request._payload_writer.drain()
