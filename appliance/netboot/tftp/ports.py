"""The sockets of the TFTP server: all behind one descriptor of the event loop, and bursts that leave in one call."""

import contextlib
import select
import socket
import struct
from collections.abc import Callable
from typing import Protocol

from appliance.netboot.tftp.packet import ErrorCode, Failure, encode
from appliance.netboot.tftp.sheets import Burst

Address = tuple[str, int]
"""IPv4 address and port."""
Received = Callable[[bytes], None]

LONGEST_ANSWER = 2048
"""Bytes that are read of what a client sends: an ACK has four, an ERROR its text."""
_UDP_SEGMENT = 103
"""From linux/udp.h; Python has no name for it."""
_AT_ONCE = 64
_REQUEST_BUFFER = 1 << 20
"""Bytes: the requests of a rack that is switched on wait here, not at the clients' next try."""
_WRONG_TRANSFER = encode(Failure(ErrorCode.UNKNOWN_TRANSFER, "this port serves another transfer"))
_ERROR_OPCODE = b"\0\5"


class Ports:
    """Tells each socket's owner when there is something to read, some sockets with each turn of the loop.

    One descriptor stands for all of them: the loop is woken once for all transfers that have got an answer
    meanwhile, and others get their turn after at most one datagram of each of 64 sockets.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Callable[[], None]] = {}

    def fileno(self) -> int:
        """What the event loop watches, with ``read`` as its reader."""
        return self._epoll.fileno()

    def watch(self, bound: socket.socket, reader: Callable[[], None]) -> None:
        """Call ``reader`` whenever there is a datagram for ``bound``."""
        self._readers[bound.fileno()] = reader
        self._epoll.register(bound.fileno(), select.EPOLLIN)

    def forget(self, bound: socket.socket) -> None:
        """Before it is closed."""
        self._epoll.unregister(bound.fileno())
        del self._readers[bound.fileno()]

    def read(self) -> None:
        """Let everybody read who can."""
        readers = self._readers
        for descriptor, _ in self._epoll.poll(0, _AT_ONCE):
            if reader := readers.get(descriptor):  # the one before may have ended this one
                reader()

    def close(self) -> None:
        """Sockets stay open: they are their owners'."""
        self._epoll.close()


class Port(Protocol):
    """How one transfer speaks to its client."""

    def send(self, burst: Burst) -> None:
        """Whatever cannot be sent counts as lost on the way: the transfer repeats it."""

    def close(self) -> None:
        """Nothing is sent or received any more."""


class OwnPort:
    """A port for one transfer: its transfer id (RFC 1350 section 4).

    Two sockets share it. The kernel hands what comes from the client to the one that is connected to it, so that
    neither side looks at addresses for each block; the other gets what comes from strangers.
    """

    def __init__(self, ports: Ports, address: str, client: Address, received: Received) -> None:
        """Raises OSError where there is no descriptor or no port left."""
        self._ports, self._received = ports, received
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
        self._receive, self._send = self._connected.recv, self._connected.send
        ports.watch(self._connected, self._read)
        ports.watch(self._strangers, self._refuse)

    def send(self, burst: Burst) -> None:
        data, size = burst
        try:
            if len(data) <= size:
                self._send(data)
            elif self._segments:
                self._segments = send_cut(self._connected, burst)
            else:
                _send_each(self._connected, burst)
        except OSError:  # the client's port is closed, the network is away, the queue is full
            return

    def close(self) -> None:
        for each in (self._connected, self._strangers):
            self._ports.forget(each)
            each.close()

    def _read(self) -> None:
        try:
            data = self._receive(LONGEST_ANSWER)
        except OSError:  # an ICMP error about what was sent
            return
        self._received(data)

    def _refuse(self) -> None:
        with contextlib.suppress(OSError):
            data, stranger = self._strangers.recvfrom(LONGEST_ANSWER)
            # An ERROR is never answered, or two servers could do this for ever.
            if not data.startswith(_ERROR_OPCODE):
                self._strangers.sendto(_WRONG_TRANSFER, stranger)


class SharedPort:
    """The server's own port, for networks whose firewall lets nothing else through."""

    def __init__(self, listening: socket.socket, client: Address) -> None:
        self._listening, self._client = listening, client
        self._segments = True

    def send(self, burst: Burst) -> None:
        try:
            if self._segments and len(burst.data) > burst.size:
                self._segments = send_cut(self._listening, burst, self._client)
            else:
                _send_each(self._listening, burst, self._client)
        except OSError:
            return

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


def send_cut(bound: socket.socket, burst: Burst, to: Address | None = None) -> bool:
    """Let the kernel cut the burst into its datagrams (udp(7), UDP_SEGMENT); False where it cannot: they went singly.

    It cannot where blocks do not fit the link, and on interfaces without checksums of their own.
    Raises OSError where none can be sent.
    """
    cut = [(socket.SOL_UDP, _UDP_SEGMENT, struct.pack("=H", burst.size))]
    try:
        # Without an address it is None at run time, too, which typeshed does not know of.
        bound.sendmsg([burst.data], cut) if to is None else bound.sendmsg([burst.data], cut, 0, to)
    except (BlockingIOError, ConnectionError):
        raise
    except OSError:
        _send_each(bound, burst, to)
        return False
    return True


def _send_each(bound: socket.socket, burst: Burst, to: Address | None = None) -> None:
    for datagram in burst.datagrams():
        if to is None:
            bound.send(datagram)
        else:
            bound.sendto(datagram, to)


def _socket() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
