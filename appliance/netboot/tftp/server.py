"""The TFTP server: one listening port, one task and one port of its own per transfer."""

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from appliance.about import about
from appliance.errors import ApplianceError
from appliance.netboot.quiet import Quiet
from appliance.netboot.tftp.census import Census
from appliance.netboot.tftp.content import OpenFile, content_of
from appliance.netboot.tftp.facts import TftpFact, TftpFailed, TftpFinished, TftpNotFound, shown
from appliance.netboot.tftp.files import FileSource
from appliance.netboot.tftp.limits import TftpLimits
from appliance.netboot.tftp.options import negotiate
from appliance.netboot.tftp.packet import (
    ErrorCode,
    Failure,
    MalformedPacketError,
    Packet,
    ReadRequest,
    WriteRequest,
    decode,
    encode,
)
from appliance.netboot.tftp.session import Address, TransferSession
from appliance.netboot.tftp.transfer import Failed, Finished, Outcome, Transfer

_log = logging.getLogger(__name__)

Publish = Callable[[TftpFact], None]

_SECONDS_BETWEEN_COMPLAINTS = 10.0
_REQUEST_OPCODES = (b"\0\1", b"\0\2")


@dataclass
class _Running:
    """The transfer that a client's port is busy with."""

    request: ReadRequest
    transfer: Transfer
    session: TransferSession


class TftpServer(asyncio.DatagramProtocol):
    """Serves `files`, read only, on one IPv4 address.

    `await start()` binds, `await run()` serves until `close()`. `publish` is called with each fact, on
    the loop, and must not block. `port` 0 takes any free port; `port` tells which after `start`.
    """

    def __init__(
        self,
        address: str,
        port: int,
        files: FileSource,
        publish: Publish,
        limits: TftpLimits | None = None,
        whose: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """`whose` tells the machine that a client's address was leased to, for the log."""
        self.address = address
        self.port = port
        self._files = files
        self._told, self._whose = publish, whose
        self.counts: Counter[str] = Counter()
        """Transfers that ``finished`` or ``failed``, requests for what was ``missing``, ``bytes`` of whole files."""
        self._limits = limits or TftpLimits()
        self._census = Census(self._limits)
        self._dropped = Quiet(_SECONDS_BETWEEN_COMPLAINTS)
        self._running: dict[Address, _Running] = {}
        self._socket: socket.socket | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._closed = asyncio.Event()

    async def start(self) -> None:
        """Bind the port. Raises ApplianceError `tftp-bind` when that is not possible."""
        listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listening.setblocking(False)
        try:
            listening.bind((self.address, self.port))
        except OSError as error:
            listening.close()
            raise _bind_error(self.address, self.port, error) from error
        self.port = listening.getsockname()[1]
        self._socket = listening

    async def run(self) -> None:
        """Serve until `close` is called; transfers that run then are told so. Needs `start` before."""
        assert self._socket is not None, "start() comes before run()"
        if self._closed.is_set():
            return
        async with asyncio.TaskGroup() as self._tasks:
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=self._socket)
            try:
                await self._closed.wait()
            finally:
                transport.close()
                for running in self._running.values():
                    running.session.cancel("the server is stopping")

    def close(self) -> None:
        """Make `run` return; without a `run`, free the port."""
        self._closed.set()
        if self._socket and not self._transport:
            self._socket.close()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def error_received(self, exc: Exception) -> None:
        """An answer from the listening port could not be sent; its client asks again."""

    def datagram_received(self, data: bytes, addr: Address) -> None:
        # Only requests belong here. Answering anything else would serve forgers and loops only.
        client: Address = addr[:2]
        if client[1] == 0 or not data.startswith(_REQUEST_OPCODES):
            return
        try:
            packet = decode(data)
        except MalformedPacketError as error:
            self._refuse(client, ErrorCode.ILLEGAL_OPERATION, str(error))
            return
        self._receive_request(packet, client)

    def _receive_request(self, packet: Packet, client: Address) -> None:
        with about(self._whose(client[0])):
            self._answer(packet, client)

    def _answer(self, packet: Packet, client: Address) -> None:
        match packet:
            case ReadRequest():
                self._receive_read(packet, client)
            case WriteRequest(name):
                self._refuse(client, ErrorCode.ACCESS_VIOLATION, "this server is read only")
                self._publish(TftpFailed(client[0], shown(name), "the client tried to write"))

    def _receive_read(self, request: ReadRequest, client: Address) -> None:
        if running := self._running.get(client):
            if running.request == request and not running.transfer.answered:
                return  # sent again because our answer is late or lost; the transfer repeats that itself
            # Some ROMs use one port for everything: the new request means that the old one is over.
            running.session.cancel("the client asked anew from the same port")
        if reason := self._census.refusal(client[0]):
            self._complain(reason)
            return
        if file := self._open(request, client):
            self._begin(request, client, file)

    def _publish(self, fact: TftpFact) -> None:
        match fact:
            case TftpFinished(bytes=size):
                self.counts["finished"] += 1
                self.counts["bytes"] += size
            case TftpFailed():
                self.counts["failed"] += 1
            case TftpNotFound():
                self.counts["missing"] += 1
        self._told(fact)

    def _complain(self, reason: str) -> None:
        if count := self._dropped.count(asyncio.get_running_loop().time()):
            _log.warning("tftp: %d requests dropped, the last because %s", count, reason)

    def _open(self, request: ReadRequest, client: Address) -> OpenFile | None:
        try:
            file = self._files.open(request.name, client[0])
        except Exception as error:  # a source that fails on one name must not end the service for all
            _log.exception("tftp: opening a file for %s failed", client[0])
            self._refuse(client, ErrorCode.UNDEFINED, "the server cannot make this file")
            self._publish(TftpFailed(client[0], shown(request.name), f"cannot open the file: {error}"))
            return None
        if file is None:
            self._refuse(client, ErrorCode.NOT_FOUND, "file not found")
            self._publish(TftpNotFound(client[0], shown(request.name)))
        return file

    def _begin(self, request: ReadRequest, client: Address, file: OpenFile) -> None:
        assert self._tasks is not None, "datagrams arrive only inside run()"
        content = content_of(file, request.mode)
        terms = negotiate(request.options, content.size, self._limits)
        transfer = Transfer(content, terms, self._limits, asyncio.get_running_loop().time())
        source = client[0]
        session = TransferSession(transfer, client, lambda: self._census.answered(source))
        running = _Running(request, transfer, session)
        self._census.begin(source)
        self._running[client] = running
        self._tasks.create_task(self._serve(running, client, file))

    async def _serve(self, running: _Running, client: Address, file: OpenFile) -> None:
        try:
            with contextlib.closing(file):
                await running.session.run(self.address)
        except OSError as error:  # no descriptor or no port left: this transfer's trouble, not the others'
            running.transfer.cancel(f"cannot open a port for the transfer: {error}")
        finally:
            self._census.end(client[0], answered=running.transfer.answered)
            if self._running.get(client) is running:
                del self._running[client]
        self._report(running.request.name, client[0], running.transfer.outcome)

    def _report(self, name: str, client: str, outcome: Outcome | None) -> None:
        match outcome:
            case Finished(size, seconds):
                self._publish(TftpFinished(client, shown(name), size, seconds))
            case Failed(reason):
                self._publish(TftpFailed(client, shown(name), shown(reason)))

    def _refuse(self, client: Address, code: ErrorCode, message: str) -> None:
        if self._transport is not None:
            self._transport.sendto(encode(Failure(code, message)), client)


def _bind_error(address: str, port: int, error: OSError) -> ApplianceError:
    return ApplianceError(
        "tftp-bind",
        f"TFTP cannot listen on {address} port {port}: {error.strerror}",
        "Is another TFTP server running there, and does the interface have this address?",
    )
