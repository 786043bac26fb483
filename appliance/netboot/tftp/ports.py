"""The sockets of the TFTP server, and windows that leave in one call."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Protocol

from appliance.netboot.tftp.packet import ErrorCode, Failure, encode

Address = tuple[str, int]
"""IPv4 address and port."""
Received = Callable[[bytes], None]
Datagrams = Sequence[bytes]

LONGEST_ANSWER = 400
"""Bytes that are read of what a client sends: an ACK has four, an ERROR its text. Python pools buffers up to this."""
_UDP_SEGMENT = 103
"""From linux/udp.h; Python has no name for it."""
_MOST_SEGMENTS = 64
_REQUEST_BUFFER = 1 << 20
"""Bytes: the requests of a rack that is switched on wait here, not for the clients' next try."""
_WRONG_TRANSFER = encode(Failure(ErrorCode.UNKNOWN_TRANSFER, "this port serves another transfer"))
_ERROR_OPCODE = b"\0\5"


class Follower(Protocol):
    """Who answers most of what comes without more ado."""

    def follow(self, data: bytes, now: float) -> bytes | None:
        """The one datagram that answers `data` at `now` (the loop's time), or None where that is not so simple."""
        ...

    def prepare(self) -> None:
        """That was sent; what comes next can be made ready."""


class Port(Protocol):
    """How one transfer speaks to its client."""

    def send(self, datagrams: Datagrams) -> None:
        """Whatever cannot be sent counts as lost on the way: the transfer repeats it."""

    def close(self) -> None:
        """Nothing is sent or received any more."""


class OwnPort:
    """A port for one transfer: its transfer id (RFC 1350 section 4).

    Two sockets share it. The kernel hands what comes from the client to the one that is connected to it, so that
    neither side looks at addresses for each block; the other gets what comes from strangers.
    """

    def __init__(self, address: str, client: Address, follower: Follower, received: Received) -> None:
        """``received`` hears what ``follower`` has no answer to. Raises OSError where no descriptor or port is left."""
        self._segments = True
        with contextlib.ExitStack() as undo:
            self._strangers = undo.enter_context(_socket())
            self._strangers.bind((address, 0))
            # Only now: with it, the port that was chosen could be another transfer's.
            self._strangers.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._connected = undo.enter_context(_socket())
            self._connected.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._connected.bind(self._strangers.getsockname())
            self._connected.connect(client)
            undo.pop_all()
        self._send = self._connected.send
        self._loop = asyncio.get_running_loop()
        read = reading(self._connected, follower, self._loop.time, received)
        self._loop.add_reader(self._connected.fileno(), read)
        self._loop.add_reader(self._strangers.fileno(), self._refuse)

    def send(self, datagrams: Datagrams) -> None:
        try:
            if len(datagrams) == 1:
                self._send(datagrams[0])
            elif self._segments:
                self._segments = send_cut(self._connected, datagrams)
            else:
                _send_each(self._connected, datagrams)
        except OSError:  # the client's port is closed, the network is away, the queue is full
            return

    def close(self) -> None:
        for each in (self._connected, self._strangers):
            self._loop.remove_reader(each.fileno())
            each.close()

    def _refuse(self) -> None:
        with contextlib.suppress(OSError):
            data, stranger = self._strangers.recvfrom(LONGEST_ANSWER)
            # An ERROR is never answered, or two servers could do this for ever.
            if not data.startswith(_ERROR_OPCODE):
                self._strangers.sendto(_WRONG_TRANSFER, stranger)


def reading(
    connected: socket.socket, follower: Follower, now: Callable[[], float], received: Received
) -> Callable[[], None]:
    """What the loop calls for each datagram. All is at hand: to look it up would take as long as the decision."""

    receive, send, follow, prepare = connected.recv, connected.send, follower.follow, follower.prepare

    def read() -> None:
        try:
            data = receive(LONGEST_ANSWER)
            if packet := follow(data, now()):
                send(packet)
                prepare()
                return
        except OSError:  # an ICMP error about what was sent before, or what `OwnPort.send` calls lost
            return
        received(data)

    return read


class SharedPort:
    """The server's own port, for networks whose firewall lets nothing else through."""

    def __init__(self, listening: socket.socket, client: Address) -> None:
        self._listening, self._client = listening, client
        self._segments = True

    def send(self, datagrams: Datagrams) -> None:
        with contextlib.suppress(OSError):
            if self._segments and len(datagrams) > 1:
                self._segments = send_cut(self._listening, datagrams, self._client)
            else:
                _send_each(self._listening, datagrams, self._client)

    def close(self) -> None:
        """The server closes it."""


def listening_socket(address: str, port: int) -> socket.socket:
    """Bound, with room for many requests; raises OSError."""
    listening = _socket()
    try:
        listening.bind((address, port))
        for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            listening.setsockopt(socket.SOL_SOCKET, buffer, _REQUEST_BUFFER)
    except OSError:
        listening.close()
        raise
    return listening


def send_cut(bound: socket.socket, datagrams: Datagrams, to: Address | None = None) -> bool:
    """Hand the kernel all of them in one call (udp(7), UDP_SEGMENT); False where it cannot and they went singly.

    It cannot where blocks do not fit the link, and on interfaces without checksums of their own.
    Raises OSError where none can be sent.
    """
    size = len(datagrams[0])
    alike = all(len(each) == size for each in datagrams[:-1]) and len(datagrams[-1]) <= size
    if not alike or len(datagrams) > _MOST_SEGMENTS:
        _send_each(bound, datagrams, to)
        return True
    cut = [(socket.SOL_UDP, _UDP_SEGMENT, struct.pack("=H", size))]
    try:
        if to is None:
            bound.sendmsg(datagrams, cut)
        else:
            bound.sendmsg(datagrams, cut, 0, to)
    except (BlockingIOError, ConnectionError):
        raise
    except OSError:
        _send_each(bound, datagrams, to)
        return False
    return True


def _send_each(bound: socket.socket, datagrams: Datagrams, to: Address | None = None) -> None:
    for datagram in datagrams:
        if to is None:
            bound.send(datagram)
        else:
            bound.sendto(datagram, to)


def _socket() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
