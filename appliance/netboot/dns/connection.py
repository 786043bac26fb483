"""DNS over one TCP connection (RFC 7766): pipelined questions, answers as they come, an idle time-out."""

import asyncio
import contextlib
import logging
import struct
from collections.abc import Callable

from appliance.netboot.dns.responder import Deliver

_log = logging.getLogger(__name__)

Handle = Callable[[bytes, str, Deliver], None]


class Connection:
    """Serves one client until it leaves or keeps silent for `idle_seconds`."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        handle: Handle,
        idle_seconds: float,
        pipeline: int,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._handle = handle
        self._idle_seconds = idle_seconds
        self._pipeline = pipeline
        self._in_work = 0
        self._progress = asyncio.Event()

    async def serve(self, source: str) -> None:
        """Read questions of the client at address `source` and answer them; never raises for its faults, or ours."""
        try:
            with contextlib.suppress(OSError, TimeoutError):
                while await self._serve_one(source):
                    pass
        except Exception:  # one question must not end the service for all
            _log.exception("dns: serving %s over TCP failed", source)
        finally:
            self._writer.close()

    async def _serve_one(self, source: str) -> bool:
        """False when the client has closed its side and has all its answers."""
        async with asyncio.timeout(self._idle_seconds):
            try:
                data = await self._read_message()
            except asyncio.IncompleteReadError:
                await self._until_in_work_below(1)
                await self._writer.drain()
                return False
            await self._until_in_work_below(self._pipeline)
            self._in_work += 1
            self._handle(data, source, self._deliver)
            await self._writer.drain()
        return True

    async def _read_message(self) -> bytes:
        (length,) = struct.unpack("!H", await self._reader.readexactly(2))
        return await self._reader.readexactly(length)

    async def _until_in_work_below(self, number: int) -> None:
        while self._in_work >= number:
            self._progress.clear()
            await self._progress.wait()

    def _deliver(self, answer: bytes | None) -> None:
        self._in_work -= 1
        self._progress.set()
        if answer is not None and not self._writer.is_closing():
            self._writer.write(struct.pack("!H", len(answer)) + answer)
