"""Turn what was heard into records: the bytes in pieces, each with a word on what it is.

Reads with a loop of its own, not with the code of the product: a defect there must not hide itself here.
"""

import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from typing import Any

from tests.captures.frames import Frame

Piece = tuple[str, str]
"""What it is; the bytes in hexadecimal."""

DHCP_PORTS = (67, 68, 4011)
OURS = "52:54:00:4c:00:00"
"""The appliance's card."""
KINDS = ("", "DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM")
ADDRESSES = {1: "subnet mask", 3: "router", 6: "DNS", 28: "broadcast", 42: "NTP", 50: "requested", 54: "server"}
NUMBERS = {51: "lease time", 57: "maximum size", 58: "renewal", 59: "rebinding", 93: "architecture"}
TEXTS = {12: "host name", 15: "domain", 60: "vendor class", 66: "TFTP server", 67: "boot file", 77: "user class"}
OTHERS = {43: "vendor information", 55: "parameter list", 61: "client identifier", 94: "network interface", 97: "UUID"}
TFTP = ("", "RRQ", "WRQ", "DATA", "ACK", "ERROR", "OACK")
LONGEST_DATA = 32
"""Bytes of a TFTP block or an HTTP body that are kept."""


def annotated(client: str, about: str, frames: Iterable[Frame]) -> dict[str, Any]:
    """The file of one client."""
    return {"client": client, "about": about.strip(), "packets": [_record(frame) for frame in _worth(frames)]}


def _worth(frames: Iterable[Frame]) -> Iterator[Frame]:
    """DHCP and TFTP as they are, and the heads of HTTP messages."""
    transfers: set[int] = set()
    for frame in frames:
        if frame.source_mac == OURS and frame.source_port == DHCP_PORTS[1]:
            continue  # the appliance looks for other DHCP servers
        ports = {frame.source_port, frame.target_port}
        if _is_head(frame) or (frame.protocol == "udp" and ports & set(DHCP_PORTS)):
            yield frame
        elif frame.target_port == 69 or ports & transfers:
            transfers |= ports - {69}
            yield frame


def _is_head(frame: Frame) -> bool:
    of_http = frame.protocol == "tcp" and 80 in (frame.source_port, frame.target_port)
    return of_http and frame.payload[:4] in (b"GET ", b"HEAD", b"HTTP")


def _record(frame: Frame) -> dict[str, Any]:
    ends = [f"{frame.source}:{frame.source_port}", f"{frame.target}:{frame.target_port}"]
    by = "server" if frame.source == IPv4Address("10.77.0.1") else "client"
    if frame.protocol == "tcp":
        protocol, pieces = "http", list(_http(frame.payload))
    elif {frame.source_port, frame.target_port} & set(DHCP_PORTS):
        protocol, pieces = "dhcp", list(_dhcp(frame.payload))
    else:
        protocol, pieces = "tftp", list(_tftp(frame.payload))
    return {"from": by, "protocol": protocol, "ends": ends, "to_mac": frame.target_mac, "pieces": pieces}


def _dhcp(data: bytes) -> Iterator[Piece]:
    yield f"op {data[0]}, Ethernet, {data[2]} octets, {data[3]} hops", data[:4].hex()
    yield "xid", data[4:8].hex()
    yield "secs", data[8:10].hex()
    yield "flags" + (": broadcast" if data[10] & 0x80 else ""), data[10:12].hex()
    for at, name in ((12, "ciaddr"), (16, "yiaddr"), (20, "siaddr"), (24, "giaddr")):
        yield f"{name} {IPv4Address(data[at : at + 4])}", data[at : at + 4].hex()
    yield "chaddr", data[28:44].hex()
    yield "sname", data[44:108].hex()
    yield f"file {_text(data[108:236])}", data[108:236].hex()
    yield "magic cookie", data[236:240].hex()
    yield from _options(data[240:])


def _options(area: bytes) -> Iterator[Piece]:
    at = 0
    while at < len(area) and area[at] != 255:
        size = 1 if area[at] == 0 else 2 + area[at + 1]
        yield _meaning(area[at], area[at + 2 : at + size]), area[at : at + size].hex()
        at += size
    yield "end and padding", area[at:].hex()


def _meaning(code: int, value: bytes) -> str:
    if code == 53:
        return f"53 {KINDS[value[0]]}"
    if code in ADDRESSES:
        return f"{code} {ADDRESSES[code]} {IPv4Address(value[:4])}"
    if code in NUMBERS:
        return f"{code} {NUMBERS[code]} {int.from_bytes(value, 'big')}"
    if code in TEXTS:
        return f"{code} {TEXTS[code]} {_text(value)}"
    return f"{code} {OTHERS.get(code, '')}".rstrip()


def _text(value: bytes) -> str:
    return value.split(b"\0")[0].decode("ascii", "replace")


def _tftp(data: bytes) -> Iterator[Piece]:
    opcode = struct.unpack_from("!H", data)[0]
    yield TFTP[opcode], data[:2].hex()
    if opcode in (1, 2, 6):
        for part in data[2:].split(b"\0")[:-1]:
            yield part.decode("ascii", "replace"), (part + b"\0").hex()
    else:
        yield f"block or code {int.from_bytes(data[2:4], 'big')}", data[2:4].hex()
        yield f"{len(data) - 4} bytes", data[4 : 4 + LONGEST_DATA].hex()


def _http(data: bytes) -> Iterator[Piece]:
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        shown = line.decode("ascii", "replace")
        yield shown, (line + b"\r\n").hex()
    yield f"end of the head, {len(body)} bytes follow", b"\r\n".hex()
