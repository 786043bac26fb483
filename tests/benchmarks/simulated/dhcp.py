"""DHCP as many clients on one cable ask it: one socket, answers by broadcast, told apart by transaction."""

import asyncio
import random
import secrets
import socket
from collections.abc import Container
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from appliance.netboot.dhcp.options import Code, DecodeError, MessageKind, Options
from appliance.netboot.dhcp.packet import BOOTREQUEST, BROADCAST_FLAG, Packet, decode, encode

PATIENCE = (4.0, 8.0, 16.0, 32.0)
"""Seconds until a client asks again; after the last, firmware gives up (RFC 2131 section 4.1, PXE 2.1)."""
SPREAD = 1.0
"""Seconds by which each of them is longer or shorter, by chance (section 4.1)."""
_ANSWERS = (bytes([MessageKind.ACK]), bytes([MessageKind.NAK]))
_OFFERS = (bytes([MessageKind.OFFER]),)


@dataclass(frozen=True, slots=True)
class Leased:
    """What a client was told."""

    address: IPv4Address
    file: str
    server: IPv4Address


@dataclass(slots=True)
class Cable:
    """The clients' side of the network; `seconds` has how long each exchange took, from DISCOVER to ACK."""

    seconds: list[float] = field(default_factory=list)
    repeated: int = 0
    _waiting: dict[int, "asyncio.Queue[Packet]"] = field(default_factory=dict)
    _socket: socket.socket | None = None

    def open(self, interface: str) -> None:
        """Bind the client port of an interface, and read from the running loop."""
        opened = self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        opened.bind(("", 68))
        asyncio.get_running_loop().add_reader(opened, self._read)

    def close(self) -> None:
        """Give the port back."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    async def lease(self, mac: bytes, options: Options) -> Leased:
        """DISCOVER to ACK; raises TimeoutError where nobody answers for a minute."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while (ack := await self._ask(mac, options)) is None:
            self.repeated += 1
        self.seconds.append(loop.time() - begun)
        return Leased(ack.yiaddr, ack.file.decode() or ack.options.get(Code.BOOT_FILE, b"").decode(), ack.siaddr)

    async def _ask(self, mac: bytes, options: Options) -> Packet | None:
        """The ACK; None for a NAK, after which a client begins anew (section 3.1)."""
        xid = int.from_bytes(secrets.token_bytes(4), "big")
        offer = await self._exchange(mac, xid, {Code.MESSAGE_TYPE: b"\1", **options}, _OFFERS)
        chosen = {Code.SERVER_ID: offer.options[Code.SERVER_ID], Code.REQUESTED_ADDRESS: offer.yiaddr.packed}
        answer = await self._exchange(mac, xid, {Code.MESSAGE_TYPE: b"\3", **chosen, **options}, _ANSWERS)
        return answer if answer.options[Code.MESSAGE_TYPE] == _ANSWERS[0] else None

    async def _exchange(self, mac: bytes, xid: int, options: Options, wanted: Container[bytes | None]) -> Packet:
        packet = encode(Packet(op=BOOTREQUEST, xid=xid, chaddr=mac, flags=BROADCAST_FLAG, options=options))
        answers = self._waiting[xid] = asyncio.Queue()
        try:
            for patience in PATIENCE:
                self._send(packet)
                try:
                    async with asyncio.timeout(patience + random.uniform(-SPREAD, SPREAD)):
                        while (answer := await answers.get()).options.get(Code.MESSAGE_TYPE) not in wanted:
                            continue
                    return answer
                except TimeoutError:
                    self.repeated += 1
        finally:
            self._waiting.pop(xid, None)
        raise TimeoutError(f"nobody answers the DHCP client {mac.hex(':')}")

    def _send(self, data: bytes) -> None:
        assert self._socket is not None, "the cable was opened"
        self._socket.sendto(data, ("255.255.255.255", 67))

    def _read(self) -> None:
        assert self._socket is not None, "the cable was opened"
        for _ in range(256):
            try:
                data = self._socket.recv(2048)
            except BlockingIOError:
                return
            try:
                packet = decode(data)
            except DecodeError:
                continue
            answers = self._waiting.get(packet.xid)
            if answers is not None:
                answers.put_nowait(packet)
