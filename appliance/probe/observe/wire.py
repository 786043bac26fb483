"""Frames on one interface, with scapy. Needs CAP_NET_RAW."""

import logging
import select
import socket
import struct
from collections.abc import Iterator
from time import monotonic
from types import TracebackType

logging.getLogger("scapy").setLevel(logging.CRITICAL)  # it warns of routes and of fonts while it is imported

from scapy.config import conf  # noqa: E402
from scapy.packet import Packet  # noqa: E402

NOWHERE = "0.0.0.0"  # noqa: S104 - no address is bound
_SOL_PACKET, _ADD_MEMBERSHIP, _MULTICAST = 263, 1, 0  # packet(7)
_BRIDGES = ("0180c2000000", "01000ccccccd")
"""Where switches tell of themselves: IEEE 802.1D, and Cisco's spanning tree per VLAN."""


class Wire:
    """One interface: frames out, frames in. It never becomes promiscuous."""

    def __init__(self, interface: str) -> None:
        """Raises OSError, PermissionError where the kernel wants CAP_NET_RAW."""
        self._socket = conf.L2socket(iface=interface, promisc=False)
        number = socket.if_nametoindex(interface)
        for group in _BRIDGES:
            member = struct.pack("iHH8s", number, _MULTICAST, 6, bytes.fromhex(group))
            self._socket.ins.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, member)

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def send(self, frame: Packet) -> None:
        """One frame."""
        self._socket.send(frame)

    def frames(self, until: float) -> Iterator[tuple[float, Packet]]:
        """What comes until a time of the monotonic clock, with the time at which it came."""
        while (left := until - monotonic()) > 0:
            ready, _, _ = select.select([self._socket.ins], [], [], left)
            packet = self._socket.recv() if ready else None
            if packet is not None:
                yield monotonic(), packet
