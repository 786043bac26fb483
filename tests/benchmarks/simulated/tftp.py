"""One file by TFTP, as a ROM fetches its boot program (RFC 1350, 2347, 2348); the content is thrown away."""

import asyncio
import struct
from typing import cast

BLOCK = 1456
"""Octets, as ROMs ask for."""
PATIENCE, TRIES = 4.0, 6
"""Seconds of silence until a ROM says its last word again, and how often it does so until it gives up."""
_DATA, _ACK, _ERROR, _OACK = 3, 4, 5, 6


class _Transfer(asyncio.DatagramProtocol):
    def __init__(self, server: str, name: str) -> None:
        self._peer: tuple[str, int] = (server, 69)
        self._last = struct.pack("!H", 1) + b"\0".join((name.encode(), b"octet", b"blksize", b"%d" % BLOCK, b""))
        self._expected = 0
        self.octets, self.heard = 0, 0
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # uvloop's is one, and is not derived from it
        self.repeat()

    def repeat(self) -> None:
        """Send the last thing (again)."""
        self._transport.sendto(self._last, self._peer)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.done.done() or len(data) < 4 or (self._expected and addr != self._peer):
            return
        kind, number = struct.unpack_from("!HH", data)
        self._peer = addr
        if kind == _ERROR:
            self.done.set_exception(OSError(f"TFTP error {number}: {data[4:-1].decode(errors='replace')}"))
        elif kind == _OACK and self._expected == 0:
            self._acknowledge(0)
        elif kind == _DATA and number == self._expected & 0xFFFF:
            self._take(len(data) - 4, number)

    def _take(self, size: int, number: int) -> None:
        self.octets += size
        self._acknowledge(number)
        if size < BLOCK:
            self.done.set_result(self.octets)

    def _acknowledge(self, number: int) -> None:
        self.heard += 1
        self._expected += 1
        self._last = struct.pack("!HH", _ACK, number)
        self.repeat()


async def fetch(address: str, server: str, name: str) -> tuple[int, int]:
    """Octets of a file, and how often something was said again.

    Raises OSError where the server refuses, TimeoutError where it falls silent.
    """
    loop = asyncio.get_running_loop()
    transport, transfer = await loop.create_datagram_endpoint(lambda: _Transfer(server, name), (address, 0))
    repeated = silent = heard = 0
    try:
        while not (await asyncio.wait((transfer.done,), timeout=PATIENCE))[0]:
            silent = 0 if transfer.heard != heard else silent + 1
            heard = transfer.heard
            if silent > TRIES:
                raise TimeoutError(f"{name} from {server} stopped after {transfer.octets} octets")
            if silent:
                repeated += 1
                transfer.repeat()
        return transfer.done.result(), repeated
    finally:
        transport.close()
