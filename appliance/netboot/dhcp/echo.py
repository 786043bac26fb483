"""Conflict probes where ARP does not reach: an ICMP echo (RFC 2131 section 2.2, RFC 792)."""

import errno
import logging
import secrets
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address

from appliance.errors import ApplianceError
from appliance.netboot.dhcp.frame import checksum

log = logging.getLogger(__name__)

_ECHO_REPLY, _ECHO = 0, 8
_HEAD = struct.Struct("!BBHHH")
_ICMP_FILTER = 1
_SOL_RAW = 255
_MAX_DATAGRAM = 2048
_BATCH = 64


class Echo:
    """Asks addresses of one subnet behind relays whether somebody uses them. Nothing blocks."""

    def __init__(self, interface: str) -> None:
        """``interface`` is what the subnet is called; raises ApplianceError where raw sockets are not allowed."""
        self.interface = interface
        self._identifier = secrets.randbits(16)
        try:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMP)
        except OSError as error:
            text = f"not allowed to look for address conflicts on {interface}: {error.strerror}"
            raise ApplianceError("dhcp-not-permitted", text, "the process needs the capability CAP_NET_RAW") from error
        others = ~(1 << _ECHO_REPLY) & 0xFFFFFFFF
        self.socket.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("@I", others))

    def send_probe(self, address: IPv4Address) -> None:
        """Ask whoever uses the address."""
        blank = _HEAD.pack(_ECHO, 0, 0, self._identifier, 0)
        packet = _HEAD.pack(_ECHO, 0, checksum(blank), self._identifier, 0)
        try:
            self.socket.sendto(packet, (str(address), 0))
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EHOSTUNREACH, errno.ENETUNREACH):
                log.warning("sending an ICMP echo to %s: %s", address, error)

    def probe_answers(self) -> Iterator[tuple[str, IPv4Address]]:
        """Addresses that answered since the last call, at most one batch; ICMP does not tell their cards."""
        for _ in range(_BATCH):
            try:
                data, source = self.socket.recvfrom(_MAX_DATAGRAM)
            except OSError:  # nothing more
                return
            if _identifier(data) == self._identifier:
                yield "", IPv4Address(source[0])

    def close(self) -> None:
        """Close the socket; may be called twice."""
        self.socket.close()


def _identifier(datagram: bytes) -> int | None:
    """That of an echo reply, with the IP header that raw sockets get before it."""
    at = (datagram[0] & 0xF) * 4 if datagram else 0
    if len(datagram) < at + _HEAD.size:
        return None
    kind, _, _, identifier, _ = _HEAD.unpack_from(datagram, at)
    return int(identifier) if kind == _ECHO_REPLY else None
