"""One viewer of a console: a WebSocket that is written to as fast as it is read at the other end, and no faster."""

import asyncio
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import cast

from aiohttp import WSMsgType, web

from appliance.web.console_frames import head

UNSENT = 512 << 10
"""Bytes that may wait for a viewer who does not read, in the daemon."""
IN_KERNEL = 256 << 10
"""Bytes of them that the kernel takes beyond what is on its way: what waits there is old when it is shown."""
PATIENCE = 60.0
"""Seconds that a viewer may leave what was sent to it unread."""
FAREWELL = 5.0
"""Seconds that a viewer gets to confirm the end."""
LONGEST_REASON = 120
"""Bytes of UTF-8 that a close frame takes in words (RFC 6455 section 5.5)."""


class GoneError(Exception):
    """The connection is over: ends its task group, is no error."""


class EndError(Exception):
    """It is to be ended, with a code of RFC 6455 section 7.4 and words for the viewer."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code, self.words = code, words


class Viewer:
    """A WebSocket that was prepared."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        assert request.transport is not None
        self._request, self._socket = request, socket
        self._transport = cast("asyncio.WriteTransport", request.transport)
        self._transport.set_write_buffer_limits(high=UNSENT, low=UNSENT // 4)
        _bound_kernel(self._transport)

    @property
    def waiting(self) -> int:
        """Bytes that are unsent in the daemon."""
        return self._transport.get_write_buffer_size()

    @property
    def is_full(self) -> bool:
        """Whether more is not to be sent before ``drained``."""
        return self.waiting > UNSENT

    def send(self, data: bytes) -> None:
        """A binary message, at once; nothing follows a close frame (RFC 6455 section 5.5.1)."""
        if not (self._socket.closed or self._transport.is_closing()):
            self._transport.write(head(len(data)) + data)  # of two, TLS would make a record each

    async def tell(self, words: str) -> None:
        """A message of text."""
        with suppress(ConnectionError):
            await self._socket.send_str(words)

    async def drained(self) -> None:
        """Until there is room again; raises TimeoutError where nobody reads, GoneError where the viewer is gone."""
        if self._socket.closed or self._transport.is_closing():
            raise GoneError
        async with asyncio.timeout(PATIENCE):
            await self._request.writer.drain()

    async def typed(self) -> AsyncIterator[bytes]:
        """What the viewer sends, as it comes: who does not ask for the next piece stops it. Raises GoneError."""
        async for message in self._socket:
            if message.type is not WSMsgType.BINARY:
                raise EndError(1003, "a console takes binary messages only")
            yield message.data
        raise GoneError

    async def end(self, code: int, words: str) -> None:
        """Close, and say why."""
        short = words.encode()[:LONGEST_REASON].decode(errors="ignore").encode()
        try:
            async with asyncio.timeout(FAREWELL):
                await self._socket.close(code=code, message=short)
        except (ConnectionError, TimeoutError):
            self.drop()

    def drop(self) -> None:
        """Whatever is unsent is thrown away with the connection."""
        self._transport.abort()


def _bound_kernel(transport: asyncio.WriteTransport) -> None:
    found = transport.get_extra_info("socket")
    if found is None or found.family not in (sockets.AF_INET, sockets.AF_INET6):
        return
    # By a descriptor of our own: the event loop's stand-in for a socket need not be able to do it.
    with suppress(OSError), sockets.fromfd(found.fileno(), found.family, found.type) as own:
        own.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NOTSENT_LOWAT, IN_KERNEL)
