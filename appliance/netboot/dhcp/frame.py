"""Ethernet frames built by hand: UDP to a client that cannot answer ARP yet, and ARP itself (pure).

RFC 894, RFC 791, RFC 768, RFC 826; address conflict probes as in RFC 5227 section 2.1.1.
"""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

ETHERTYPE_ARP = 0x0806
_ETHERTYPE_IP = 0x0800
_BROADCAST = b"\xff" * 6
_UDP = 17
_TTL = 64
_DO_NOT_FRAGMENT = 0x4000
_FRAGMENT = 0x3FFF
"""More fragments, or an offset."""
_IP_HEADER = struct.Struct("!BBHHHBBH4s4s")
_UDP_HEADER = struct.Struct("!HHHH")
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET_SIZE = 14
_ARP_REQUEST = 1


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a UDP datagram on Ethernet."""

    mac: str
    address: IPv4Address
    port: int


def udp_frame(source: Endpoint, target: Endpoint, payload: bytes) -> bytes:
    """A whole Ethernet frame with an IPv4 UDP datagram, checksums included."""
    udp = _udp(source, target, payload)
    return _mac(target.mac) + _mac(source.mac) + _ETHERTYPE_IP.to_bytes(2, "big") + _ip(source, target, udp) + udp


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _udp(source: Endpoint, target: Endpoint, payload: bytes) -> bytes:
    length = _UDP_HEADER.size + len(payload)
    pseudo = source.address.packed + target.address.packed + struct.pack("!HH", _UDP, length)
    blank = _UDP_HEADER.pack(source.port, target.port, length, 0)
    total = checksum(pseudo + blank + payload) or 0xFFFF  # zero would mean "none" (RFC 768)
    return _UDP_HEADER.pack(source.port, target.port, length, total) + payload


def _ip(source: Endpoint, target: Endpoint, udp: bytes) -> bytes:
    def header(checksum: int) -> bytes:
        length = _IP_HEADER.size + len(udp)
        ends = source.address.packed, target.address.packed
        return _IP_HEADER.pack(0x45, 0, length, 0, _DO_NOT_FRAGMENT, _TTL, _UDP, checksum, *ends)

    return header(checksum(header(0)))


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def arp_probe(source_mac: str, address: IPv4Address) -> bytes:
    """An ARP probe: who has `address`, asked from no address of our own (RFC 5227)."""
    mac = _mac(source_mac)
    ethernet = _BROADCAST + mac + ETHERTYPE_ARP.to_bytes(2, "big")
    return ethernet + _ARP.pack(1, _ETHERTYPE_IP, 6, 4, _ARP_REQUEST, mac, bytes(4), bytes(6), address.packed)


def arp_sender(frame: bytes) -> tuple[str, IPv4Address] | None:
    """Who says in an ARP frame, request or reply, that it has which address; None for other frames."""
    if len(frame) < _ETHERNET_SIZE + _ARP.size or frame[12:14] != ETHERTYPE_ARP.to_bytes(2, "big"):
        return None
    hardware, protocol, hlen, plen, _, mac, address, *_ = _ARP.unpack_from(frame, _ETHERNET_SIZE)
    if (hardware, protocol, hlen, plen) != (1, _ETHERTYPE_IP, 6, 4):
        return None
    return mac.hex(":"), IPv4Address(address)


def udp_payload(frame: bytes, port: int) -> tuple[IPv4Address, bytes] | None:
    """Who sent the UDP datagram in an Ethernet frame to this port, and what; None for all other frames."""
    at = _ETHERNET_SIZE
    if len(frame) < at + _IP_HEADER.size or frame[12:14] != _ETHERTYPE_IP.to_bytes(2, "big"):
        return None
    head, _, _, _, fragment, _, protocol, _, source, _ = _IP_HEADER.unpack_from(frame, at)
    size = (head & 0xF) * 4
    whole = head >> 4 == 4 and size >= _IP_HEADER.size and protocol == _UDP and not fragment & _FRAGMENT
    if not whole or len(frame) < at + size + _UDP_HEADER.size:
        return None
    _, target, length, _ = _UDP_HEADER.unpack_from(frame, at + size)
    payload = frame[at + size + _UDP_HEADER.size : at + size + length]
    return (IPv4Address(source), payload) if target == port else None
