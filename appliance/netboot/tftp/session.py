"""The asyncio shell around one Transfer: its own socket, its timer, its end."""

import asyncio
from collections.abc import Callable

from appliance.netboot.tftp.packet import ErrorCode, Failure, encode
from appliance.netboot.tftp.transfer import Transfer

Address = tuple[str, int]

_WRONG_TRANSFER = encode(Failure(ErrorCode.UNKNOWN_TRANSFER, "this port serves another transfer"))
_ERROR_OPCODE = b"\0\5"


class TransferSession(asyncio.DatagramProtocol):
    """Moves datagrams between one client and its transfer until that has an outcome."""

    def __init__(self, transfer: Transfer, client: Address, answered: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._transfer = transfer
        self._client = client
        self._answered = answered
        self._transport: asyncio.DatagramTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._over = asyncio.Event()

    async def run(self, local_address: str) -> None:
        """Open a port of our own on `local_address` (the transfer id, RFC 1350) and serve till the end."""
        transport, _ = await self._loop.create_datagram_endpoint(lambda: self, (local_address, 0))
        try:
            self._proceed()
            await self._over.wait()
        finally:
            if self._timer:
                self._timer.cancel()
            transport.close()

    def cancel(self, reason: str) -> None:
        """End the transfer early and tell the client why."""
        self._transfer.cancel(reason)
        self._proceed()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if addr[:2] == self._client:
            first = not self._transfer.answered
            self._transfer.receive_datagram(data, self._loop.time())
            if first and self._transfer.answered:
                self._answered()
            self._proceed()
        elif self._transport and not data.startswith(_ERROR_OPCODE):
            # RFC 1350 section 4; an ERROR is never answered, or two servers could do this for ever.
            self._transport.sendto(_WRONG_TRANSFER, addr)

    def error_received(self, exc: Exception) -> None:
        """A datagram could not be sent: as good as lost on the way, the timer repeats it."""

    def _proceed(self) -> None:
        if self._transport is None:
            return
        for datagram in self._transfer.datagrams_to_send():
            self._transport.sendto(datagram, self._client)
        deadline = self._transfer.next_deadline()
        if deadline is None:
            self._over.set()
        elif self._timer is None:
            self._timer = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        # The deadline moves with every ACK; the timer is only set anew when it fires, not each time.
        self._timer = None
        self._transfer.handle_timer(self._loop.time())
        self._proceed()
