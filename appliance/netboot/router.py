"""Answers to IPv6 router solicitations of machines that network-boot, so that they need not wait for one.

iPXE configures IPv4 and IPv6 together and goes on when both have ended; where no router answers, it asks for
some fifteen seconds before it fetches its script. The answer (RFC 4861 section 4.2) says that we are no router:
lifetime 0, no prefix, no DHCPv6. It goes to the one machine that asked, and only to one that has just sent a
DHCP packet as a network-booting client, so that installed systems never see it.
"""

import asyncio
import logging
import socket
import struct
import time
from collections.abc import Callable

from appliance.errors import ApplianceError

log = logging.getLogger(__name__)

ROUTER_SOLICITATION = 133
ROUTER_ADVERTISEMENT = 134
SOURCE_LINK_ADDRESS = 1
ALL_ROUTERS = "ff02::2"
HOP_LIMIT = 255
"""RFC 4861 section 6.1: anything lower has crossed a router and is dropped."""
BOOTING_SECONDS = 120.0
"""How long after its last DHCP packet a machine counts as network-booting."""
REMEMBERED = 4096


def solicitor(packet: bytes) -> str | None:
    """The MAC address in a router solicitation (ICMPv6 from its type on); None for anything else. Pure."""
    if len(packet) < 8 or packet[0] != ROUTER_SOLICITATION:
        return None
    at = 8
    while at + 8 <= len(packet):
        kind, length = packet[at], packet[at + 1] * 8
        if length == 0:
            return None
        if kind == SOURCE_LINK_ADDRESS:
            return packet[at + 2 : at + 8].hex(":")
        at += length
    return None


def advertisement() -> bytes:
    """ "We are no router, and there is nothing else to wait for"; the kernel fills the checksum in. Pure."""
    return struct.pack("!BBHBBHII", ROUTER_ADVERTISEMENT, 0, 0, 0, 0, 0, 0, 0)


class RouterAnswers:
    """Serves one interface; ``booting`` is told of machines by whoever sees their DHCP packets."""

    def __init__(self, interface: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._interface, self._clock = interface, clock
        self._booting: dict[str, float] = {}
        self._socket: socket.socket | None = None

    def booting(self, mac: str) -> None:
        """This machine network-boots now."""
        if len(self._booting) >= REMEMBERED:
            self._booting.clear()
        self._booting[mac] = self._clock()

    async def start(self) -> None:
        """Open the socket; raises ApplianceError ``router-refused`` without CAP_NET_RAW."""
        try:
            self._socket = _open(self._interface)
        except PermissionError as error:
            hint = "start it through its systemd unit, or give it CAP_NET_RAW"
            raise ApplianceError("router-refused", f"{self._interface}: raw sockets are not allowed", hint) from error
        except OSError as error:
            # A computer without IPv6: machines wait a little longer, and boot.
            log.info("%s: no IPv6 (%s), iPXE waits for a router in vain", self._interface, error.strerror)

    async def run(self) -> None:
        """Answer until cancelled."""
        loop = asyncio.get_running_loop()
        if self._socket is not None:
            loop.add_reader(self._socket, self._read, self._socket)
        try:
            await asyncio.Event().wait()
        finally:
            if self._socket is not None:
                loop.remove_reader(self._socket)

    def close(self) -> None:
        """Give the socket back; may be called twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _read(self, channel: socket.socket) -> None:
        try:
            packet, source = channel.recvfrom(2048)
            mac = solicitor(packet)
            if mac is not None and self._clock() - self._booting.get(mac, -BOOTING_SECONDS) < BOOTING_SECONDS:
                channel.sendto(advertisement(), source)
        except OSError as error:
            log.info("%s: answering a router solicitation: %s", self._interface, error)


def _open(interface: str) -> socket.socket:
    channel = socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMPV6)
    try:
        index = socket.if_nametoindex(interface)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        group = socket.inet_pton(socket.AF_INET6, ALL_ROUTERS) + struct.pack("@I", index)
        channel.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        channel.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, HOP_LIMIT)
    except OSError:
        channel.close()
        raise
    return channel
