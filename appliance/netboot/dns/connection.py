"""DNS over one TCP connection (RFC 7766): pipelined questions, answers as they come, an idle time-out."""

import asyncio
import logging
import struct
from collections.abc import Callable

from appliance.netboot.dns.limits import DnsLimits
from appliance.netboot.dns.responder import Deliver

_log = logging.getLogger(__name__)

Handle = Callable[[bytes, str, Deliver], None]


class Connection:
    """Serves one client until it leaves, keeps silent for too long, or does not read what it asked for."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handle, limits: DnsLimits
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._handle = handle
        self._limits = limits
        self._in_work = 0
        self._progress = asyncio.Event()
        # Nothing further is read of a client before its answers are in the kernel's hands.
        writer.transport.set_write_buffer_limits(high=0)

    async def serve(self, source: str) -> None:
        """Read questions of the client at address `source` and answer them; never raises for its faults, or ours."""
        try:
            while await self._serve_one(source):
                pass
            self._writer.close()
        except (OSError, TimeoutError):
            self._writer.transport.abort()
        except Exception:  # one question must not end the service for all
            _log.exception("dns: serving %s over TCP failed", source)
            self._writer.transport.abort()
        except asyncio.CancelledError:
            self._writer.transport.abort()
            raise

    async def _serve_one(self, source: str) -> bool:
        """False when the client has closed its side and has all its answers."""
        async with asyncio.timeout(self._limits.idle_seconds):
            try:
                data = await self._read_message()
            except asyncio.IncompleteReadError:
                await self._until_in_work_below(1)
                await self._writer.drain()
                return False
            await self._until_in_work_below(self._limits.pipeline)
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
        if answer is None or self._writer.is_closing():
            return
        self._writer.write(struct.pack("!H", len(answer)) + answer)
        if self._writer.transport.get_write_buffer_size() > self._limits.unread_bytes:
            # Closing would keep the answers until they are read, which may be never.
            self._writer.transport.abort()
