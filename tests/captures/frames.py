"""Ethernet frames, as far as recordings need them: IPv4 with UDP or TCP inside."""

import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

_ETHERNET = struct.Struct("!6s6sH")
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV4_TYPE = 0x0800


@dataclass(frozen=True)
class Frame:
    """What one frame carries."""

    source_mac: str
    target_mac: str
    source: IPv4Address
    target: IPv4Address
    protocol: str
    """``udp`` or ``tcp``."""
    source_port: int
    target_port: int
    payload: bytes


def parse_frame(data: bytes) -> Frame | None:
    """A frame with something inside; None for anything else."""
    target_mac, source_mac, kind = _ETHERNET.unpack_from(data)
    if kind != _IPV4_TYPE:
        return None
    first, _, length, _, _, _, protocol, _, source, target = _IPV4.unpack_from(data, _ETHERNET.size)
    inner = data[_ETHERNET.size + (first & 15) * 4 : _ETHERNET.size + length]
    payload = _payload(protocol, inner)
    if not payload:
        return None
    ports = struct.unpack_from("!HH", inner)
    name = "udp" if protocol == socket.IPPROTO_UDP else "tcp"
    ends = source_mac.hex(":"), target_mac.hex(":"), IPv4Address(source), IPv4Address(target)
    return Frame(*ends, name, *ports, payload)


def _payload(protocol: int, inner: bytes) -> bytes:
    if protocol == socket.IPPROTO_UDP:
        return inner[8:]
    if protocol == socket.IPPROTO_TCP:
        return inner[(inner[12] >> 4) * 4 :]
    return b""
