"""Screens and serial lines through libvirt: it hands over a descriptor for a screen, and a stream for a serial line.

So neither has a port, and nobody needs to be let in to QEMU's own sockets.
"""

import contextlib
import socket
from collections.abc import Callable
from typing import Any

from appliance.hypervisor.connection import Connection, Libvirt, library
from appliance.hypervisor.consoles import ConsoleKind, check_on, far, lacking, taken
from appliance.hypervisor.libvirt_words import STATES
from appliance.hypervisor.libvirt_xml import tree_of
from appliance.hypervisor.stream_line import StreamLine
from appliance.vm import VmId, VmState
from appliance.vm_check import check_id

SECONDS = 15.0
"""For a call."""
PLACES = {ConsoleKind.SCREEN: "devices/graphics[@type='vnc']", ConsoleKind.SERIAL: "devices/serial"}
"""Where a definition has it."""
_Domain = Any
"""A ``libvirt.virDomain``."""


class KvmConsoles:
    """``own`` looks a VM up, and refuses foreign ones."""

    def __init__(self, connection: Connection, own: Callable[[Libvirt, VmId], _Domain]) -> None:
        self._connection, self._own = connection, own

    async def open(self, key: VmId, kind: ConsoleKind) -> socket.socket:
        """As the seam says."""
        check_id(key)
        return await self._connection.ask(lambda on: self._open(on, key, kind), SECONDS, key)

    def _open(self, on: Libvirt, key: VmId, kind: ConsoleKind) -> socket.socket:
        domain = self._own(on, key)
        name = domain.name()
        check_on(kind, STATES.get(domain.state()[0], VmState.UNKNOWN), name)
        if tree_of(domain.XMLDesc(0), "domain").find(PLACES[kind]) is None:
            raise lacking(kind, name)
        return self._screen(domain) if kind is ConsoleKind.SCREEN else _serial(on, domain, name)

    def _screen(self, domain: _Domain) -> socket.socket:
        libvirt = library()
        if not is_near(self._connection.address):
            raise far(self._connection.address)
        # Whoever reaches libvirt may do more than look: a password of the screen would keep nobody out.
        opened = socket.socket(fileno=domain.openGraphicsFD(0, libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH))
        opened.setblocking(False)
        return opened


def is_near(address: str) -> bool:
    """Whether a libvirt is asked through a socket of this computer: descriptors go through no other."""
    scheme, _, rest = address.partition("://")
    return scheme in ("qemu", "qemu+unix") and rest.startswith("/")


def _serial(on: Libvirt, domain: _Domain, name: str) -> socket.socket:
    libvirt = library()
    stream = on.newStream(libvirt.VIR_STREAM_NONBLOCK)
    try:
        domain.openConsole(None, stream, 0)
    except libvirt.libvirtError as error:
        with contextlib.suppress(libvirt.libvirtError):
            stream.abort()
        if "console session exists" in (error.get_error_message() or ""):
            raise taken(name) from None
        raise
    outer, inner = socket.socketpair()
    outer.setblocking(False)
    StreamLine(libvirt, stream, inner).begin()
    return outer
