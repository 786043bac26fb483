"""The TFTP server: one listening port, and one of its own for each transfer unless there may be only one."""

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

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
    LONGEST_REQUEST,
    ErrorCode,
    Failure,
    MalformedPacketError,
    Packet,
    ReadRequest,
    WriteRequest,
    decode,
    encode,
)
from appliance.netboot.tftp.pieces import Pieces
from appliance.netboot.tftp.ports import Address, OwnPort, Port, Received, SharedPort, listening_socket
from appliance.netboot.tftp.refusals import Refusals
from appliance.netboot.tftp.session import TransferSession
from appliance.netboot.tftp.transfer import Failed, Finished, Outcome, Transfer

_log = logging.getLogger(__name__)

Publish = Callable[[TftpFact], None]

_SECONDS_BETWEEN_COMPLAINTS = 10.0
_REQUEST_OPCODES = (b"\0\1", b"\0\2")
_AT_ONCE = 16
"""Datagrams that are read of the listening port before others get their turn."""


@dataclass
class _Running:
    """The transfer that a client's port is busy with."""

    request: ReadRequest
    transfer: Transfer
    file: OpenFile
    session: TransferSession | None = None
    """None until it has a port."""

    def cancel(self, reason: str) -> None:
        assert self.session is not None, "it runs"
        self.session.cancel(reason)


class TftpServer:
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
        *,
        block_size: Callable[[str], int] | None = None,
        single_port: bool = False,
    ) -> None:
        """`whose` tells the machine that a client's address was leased to, for the log.

        `block_size` tells the largest block for a client's address; that of `limits` holds where it is left out.

        With `single_port` every transfer goes through the listening port: a firewall that follows no TFTP lets
        nothing else through, and clients take the server's port from its first answer anyway.
        """
        self.address = address
        self.port = port
        self._files = files
        self._told, self._whose = publish, whose
        self._single_port = single_port
        self.counts: Counter[str] = Counter()
        """Transfers that ``finished`` or ``failed``, requests for what was ``missing``, ``bytes`` of whole files."""
        self._limits = limits or TftpLimits()
        self._block_size = block_size or (lambda _: self._limits.block_size)
        self._census = Census(self._limits)
        self._pieces = Pieces(self._limits.shared)
        self._refusals = Refusals(self._limits.refusals_per_source, self._limits.refusals)
        self._dropped = Quiet(_SECONDS_BETWEEN_COMPLAINTS)
        self._running: dict[Address, _Running] = {}
        self._waiting: dict[Address, _Running] = {}
        """Those that nobody has answered yet, oldest first."""
        self._socket: socket.socket | None = None
        self._serves = False
        self._closed = asyncio.Event()

    async def start(self) -> None:
        """Bind the port. Raises ApplianceError `tftp-bind` when that is not possible."""
        try:
            self._socket = listening_socket(self.address, self.port)
        except OSError as error:
            raise _bind_error(self.address, self.port, error) from error
        self.port = self._socket.getsockname()[1]

    async def run(self) -> None:
        """Serve until `close` is called; transfers that run then are told so. Needs `start` before."""
        assert self._socket is not None, "start() comes before run()"
        if self._closed.is_set():
            return
        loop, self._serves = asyncio.get_running_loop(), True
        loop.add_reader(self._socket.fileno(), self._read)
        try:
            await self._closed.wait()
        finally:
            for running in list(self._running.values()):
                running.cancel("the server is stopping")
            loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def close(self) -> None:
        """Make `run` return; without a `run`, free the port."""
        self._closed.set()
        if not self._serves and self._socket is not None:
            self._socket.close()

    def _read(self) -> None:
        assert self._socket is not None, "it is watched while it is open"
        for _ in range(_AT_ONCE):
            try:
                data, client = self._socket.recvfrom(LONGEST_REQUEST + 100)
            except OSError:  # there is nothing more, or an ICMP error about an answer
                return
            self._receive(data, client)

    def _receive(self, data: bytes, client: Address) -> None:
        if client[1] == 0:  # nobody can be answered there
            return
        if data.startswith(_REQUEST_OPCODES):
            self._receive_request(data, client)
        elif self._single_port and (running := self._running.get(client)) and running.session:
            running.session.receive(data)

    def _receive_request(self, data: bytes, client: Address) -> None:
        with about(self._whose(client[0])):
            try:
                packet = decode(data)
            except MalformedPacketError as error:
                self._refuse(client, ErrorCode.ILLEGAL_OPERATION, str(error))
                return
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
            if running.request == request and (running.transfer.flows or not running.transfer.answered):
                # Sent again because our answer was late or lost: the transfer repeats that itself, and an error would
                # end it for a client that has the answer by now.
                return
            # Some ROMs use one port for everything: the new request means that the old one is over.
            running.cancel("the client asked anew from the same port")
        if self._census.full and not self._census.own_refusal(client[0]):
            self._make_room()
        if reason := self._census.refusal(client[0]):
            self._complain(reason)
            return
        if file := self._open(request, client):
            self._begin(request, client, file)

    def _make_room(self) -> None:
        """End the oldest transfer that nobody has answered: a flood of requests under made-up addresses takes no
        place from machines, which answer at once.
        """
        for oldest in self._waiting.values():
            assert oldest.session is not None, "it runs"
            oldest.session.abandon("nobody answered, and another client waits")
            return

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
        content = content_of(file, request.mode)
        limits = replace(self._limits, block_size=self._block_size(client[0]))
        terms = negotiate(request.options, content.size, limits)
        transfer = Transfer(content, terms, self._limits, asyncio.get_running_loop().time(), self._pieces)
        running = _Running(request, transfer, file)
        self._census.begin(client[0])
        self._running[client] = self._waiting[client] = running
        self._pieces.expect(len(self._running))
        try:
            running.session = TransferSession(
                transfer,
                lambda received: self._open_port(client, transfer, received),
                lambda: self._answered(client),
                lambda: self._end(client, running),
            )
        except OSError as error:  # no descriptor or no port left: this transfer's trouble, not the others'
            transfer.cancel(f"cannot open a port for the transfer: {error}")
            self._end(client, running)
        else:
            running.session.begin()

    def _answered(self, client: Address) -> None:
        self._census.answered(client[0])
        del self._waiting[client]

    def _open_port(self, client: Address, transfer: Transfer, received: Received) -> Port:
        assert self._socket is not None, "requests come from there"
        if self._single_port:
            return SharedPort(self._socket, client)
        return OwnPort(self.address, client, transfer, received)

    def _end(self, client: Address, running: _Running) -> None:
        running.file.close()
        self._census.end(client[0], answered=running.transfer.answered)
        for kept in (self._running, self._waiting):
            if kept.get(client) is running:
                del kept[client]
        self._pieces.expect(len(self._running))
        with about(self._whose(client[0])):
            self._report(running.request.name, client[0], running.transfer.outcome)

    def _report(self, name: str, client: str, outcome: Outcome | None) -> None:
        match outcome:
            case Finished(size, seconds):
                self._publish(TftpFinished(client, shown(name), size, seconds))
            case Failed(reason):
                self._publish(TftpFailed(client, shown(name), shown(reason)))

    def _refuse(self, client: Address, code: ErrorCode, message: str) -> None:
        if self._socket is None or not self._refusals.may(client[0], asyncio.get_running_loop().time()):
            return
        with contextlib.suppress(OSError):  # lost, as on any bad network: the client asks again
            self._socket.sendto(encode(Failure(code, message)), client)


def _bind_error(address: str, port: int, error: OSError) -> ApplianceError:
    return ApplianceError(
        "tftp-bind",
        f"TFTP cannot listen on {address} port {port}: {error.strerror}",
        "Is another TFTP server running there, and does the interface have this address?",
    )
