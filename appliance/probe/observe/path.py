"""Pings of a given size that nobody may break up. Needs CAP_NET_RAW."""

import os
import select
import socket
from contextlib import suppress
from time import monotonic

from scapy.layers.inet import ICMP, IP

from appliance.probe.judge import path
from appliance.probe.observed import PathMtu

_IP_MTU_DISCOVER, _PROBE = 10, 3  # ip(7): never broken up, and no memory of what was learnt before
_HEADERS = 28
_SECONDS = 0.5
_TIMES = 2


class _Pings:
    """Pings to one server."""

    def __init__(self, channel: socket.socket, server: str) -> None:
        self._channel, self._server = channel, server
        self._id, self._sequence = os.getpid() & 0xFFFF, 0
        self.told_by = ""

    def passes(self, size: int) -> bool:
        """Whether an IP packet of this size came back, at the second try at the latest."""
        return any(self._once(size) for _ in range(_TIMES))

    def _once(self, size: int) -> bool:
        self._sequence += 1
        echo = ICMP(type=8, id=self._id, seq=self._sequence) / bytes(size - _HEADERS)
        try:
            self._channel.sendto(bytes(echo), (self._server, 0))
        except OSError:
            return False  # larger than the interface takes
        return self._answered(monotonic() + _SECONDS)

    def _answered(self, until: float) -> bool:
        while (left := until - monotonic()) > 0 and select.select([self._channel], [], [], left)[0]:
            with suppress(OSError):
                packet = IP(self._channel.recv(65535))
                if ICMP in packet and (said := self._said(packet)) is not None:
                    return said
        return False

    def _said(self, packet: IP) -> bool | None:
        """True for our echo, False for "too large", None for what is not ours."""
        icmp = packet[ICMP]
        if icmp.type == 0 and (icmp.id, icmp.seq) == (self._id, self._sequence) and packet.src == self._server:
            return True
        if icmp.type == 3 and icmp.code == 4:
            self.told_by = str(packet.src)
            return False
        return None


def path_mtu(server: str, source: str, interface: int) -> PathMtu:
    """Search for the largest packet up to the interface's own MTU; raises OSError without the right to."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as channel:
        channel.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PROBE)
        channel.bind((source, 0))
        pings = _Pings(channel, server)
        return PathMtu(server, interface, path.largest(interface, pings.passes), pings.told_by)
