"""Listening TCP sockets: made here with errors that say which port and why, or passed in by systemd."""

import asyncio
import errno
import os
import resource
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from typing import cast

from appliance.errors import ApplianceError

FIRST_PASSED = 3
"""sd_listen_fds(3): passed descriptors begin here."""
BACKLOG = 1024
"""Connections that may wait to be accepted."""


def listen_tcp(address: str, port: int, purpose: str) -> socket.socket:
    """A listening socket; raises ApplianceError ``port-in-use``, ``port-refused`` or ``address-unusable``."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise _bind_error(address, port, purpose, error) from error
    listening.setblocking(False)
    return listening


def _bind_error(address: str, port: int, purpose: str, error: OSError) -> ApplianceError:
    where = f"{purpose}: TCP {address} port {port}"
    if isinstance(error, PermissionError):
        hint = "start it through its systemd unit, or give it CAP_NET_BIND_SERVICE"
        return ApplianceError("port-refused", f"{where} is for privileged programs", hint)
    if error.errno == errno.EADDRINUSE:
        hint = f"see which program has it: ss -ltnp 'sport = :{port}'"
        return ApplianceError("port-in-use", f"{where}: {error.strerror}", hint)
    hint = "listen on an address that this computer has: ip address"
    return ApplianceError("address-unusable", f"{where}: {error.strerror}", hint)


def passed_sockets(environment: Mapping[str, str], name: str) -> list[socket.socket]:
    """The sockets that systemd or the lab passed under ``name`` (sd_listen_fds(3)); none where it passed none."""
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(environment.get("LISTEN_FDS", "0"))
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    found = []
    for offset in range(count):
        if offset < len(names) and names[offset] == name:
            passed = socket.socket(fileno=FIRST_PASSED + offset)
            passed.setblocking(False)
            found.append(passed)
    return found


def raise_descriptor_limit() -> None:
    """Allow as many open files as this computer lets us have: every idle machine holds a connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class PerSource:
    """Makes protocols for a server, and closes the connections of an address that has ``limit`` open already.

    One computer that opens connections and says nothing would otherwise take those of all others.
    """

    def __init__(self, factory: Callable[[], asyncio.Protocol], limit: int) -> None:
        self._factory, self.limit = factory, limit
        self.open: Counter[str] = Counter()

    def __call__(self) -> asyncio.Protocol:
        """The protocol of one connection."""
        return _Counted(self._factory, self)


class _Counted(asyncio.Protocol):
    """Passes everything on to a protocol that is made once the connection may stay."""

    def __init__(self, factory: Callable[[], asyncio.Protocol], sources: PerSource) -> None:
        self._factory, self._sources = factory, sources
        self._source = ""
        self._inner: asyncio.Protocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        self._source = str(peer[0]) if peer else ""
        if self._sources.open[self._source] >= self._sources.limit:
            # uvloop's transports are Transports in all but their class.
            cast("asyncio.Transport", transport).abort()
            return
        self._sources.open[self._source] += 1
        self._inner = self._factory()
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._inner is not None else None

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        if self._inner is None:
            return
        self._sources.open[self._source] -= 1
        if not self._sources.open[self._source]:
            del self._sources.open[self._source]
        self._inner.connection_lost(error)
