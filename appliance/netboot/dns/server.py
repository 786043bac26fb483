"""The DNS server: UDP and TCP on each address, one responder behind them."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

from appliance.errors import ApplianceError
from appliance.netboot.dns.asking import Resolver
from appliance.netboot.dns.connection import Connection
from appliance.netboot.dns.datagrams import Datagrams
from appliance.netboot.dns.facts import DnsFact
from appliance.netboot.dns.limits import DnsLimits
from appliance.netboot.dns.responder import Responder
from appliance.netboot.dns.zone import Zone

_SECONDS_BETWEEN_EXPIRIES = 60.0
_BACKLOG = 128
_RECEIVE_BUFFER = 1 << 20
"""Bytes: a rack that boots asks everything at once."""
_SEND_BUFFER = 128 << 10
"""Bytes that the kernel keeps for each TCP client; left to itself it takes megabytes for one that does not read."""


class DnsServer:
    """Serves `zone`, and through `forwarder` other names to clients in `allowed_networks`.

    `await start()` binds, `await run()` serves until `close()`. `publish` is called with each fact, on
    the loop, and must not block.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        port: int,
        zone: Zone,
        forwarder: Resolver | None,
        allowed_networks: Sequence[IPv4Network],
        publish: Callable[[DnsFact], None],
        limits: DnsLimits | None = None,
    ) -> None:
        self.addresses = tuple(addresses)
        self.port = port
        self._limits = limits or DnsLimits()
        self._responder = Responder(zone, forwarder, allowed_networks, publish, self._limits)
        self._datagram_sockets: list[socket.socket] = []
        self._stream_sockets: list[socket.socket] = []
        self._connections: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._group: asyncio.TaskGroup | None = None
        self._closed = asyncio.Event()

    @property
    def counts(self) -> Mapping[str, int]:
        """Messages by what became of them; see ``responder.OUTCOMES``."""
        return self._responder.counts

    async def start(self) -> None:
        """Bind all addresses. Raises ApplianceError `dns-bind`, and binds none, if one is not possible."""
        try:
            for address in self.addresses:
                self._bind(address)
        except OSError as error:
            self._close_sockets()
            raise _bind_error(address, self.port, error) from error

    async def run(self) -> None:
        """Serve until `close` is called. Needs `start` before."""
        if self._closed.is_set():
            return
        async with asyncio.TaskGroup() as self._group:
            self._responder.begin(self._spawn)
            self._spawn(self._expire())
            datagrams = [Datagrams(listening, self._responder) for listening in self._datagram_sockets]
            for each in datagrams:
                each.start()
            servers = [await self._listen_streams(listening) for listening in self._stream_sockets]
            try:
                await self._closed.wait()
            finally:
                for each in datagrams:
                    each.close()
                for server in servers:
                    server.close()
                for task in self._tasks:
                    task.cancel()

    def close(self) -> None:
        """Make `run` return; without a `run`, free the ports."""
        self._closed.set()
        if self._group is None:
            self._close_sockets()

    def _bind(self, address: str) -> None:
        datagrams = _bound(socket.SOCK_DGRAM, address, self.port)
        self._datagram_sockets.append(datagrams)
        datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        streams = _bound(socket.SOCK_STREAM, address, self.port)
        self._stream_sockets.append(streams)
        streams.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)  # connections inherit it
        streams.listen(_BACKLOG)

    def _close_sockets(self) -> None:
        for listening in (*self._datagram_sockets, *self._stream_sockets):
            listening.close()

    async def _listen_streams(self, listening: socket.socket) -> asyncio.Server:
        return await asyncio.start_server(self._accept, sock=listening, backlog=_BACKLOG)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        if peer is None:  # it has gone again already
            writer.close()
        elif reason := self._refusal(peer[0]):
            self._responder.overloaded(reason)
            writer.close()
        else:
            self._connections[peer[0]] += 1
            self._spawn(self._serve(reader, writer, peer[0]))

    def _refusal(self, source: str) -> str | None:
        if self._connections.total() >= self._limits.connections:
            return f"all {self._limits.connections} connections are taken"
        if self._connections[source] >= self._limits.connections_per_source:
            return f"{source} has {self._limits.connections_per_source} connections already"
        return None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, source: str) -> None:
        try:
            await Connection(reader, writer, self._responder.handle_stream, self._limits).serve(source)
        finally:
            self._connections[source] -= 1
            self._connections += Counter()  # drops the zeros, or every address ever seen would stay

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_EXPIRIES)
            self._responder.expire()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._group is not None, "work comes only while the server runs"
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _bound(kind: socket.SocketKind, address: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, kind)
    try:
        listening.setblocking(False)
        if kind == socket.SOCK_STREAM:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
    except OSError:
        listening.close()
        raise
    return listening


def _bind_error(address: str, port: int, error: OSError) -> ApplianceError:
    return ApplianceError(
        "dns-bind",
        f"DNS cannot listen on {address} port {port}: {error.strerror}",
        "Is another DNS server running there (systemd-resolved, dnsmasq), and is this address ours?",
    )
