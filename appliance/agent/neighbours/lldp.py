"""LLDP frames (IEEE 802.1AB-2016, clause 8) as what a person wants to know: which switch, which port (pure).

Whoever is at the other end of a cable can send anything: what cannot be read is left out, and every text is cleaned.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address

HEADER = 14
"""Octets of an Ethernet frame before its LLDP data unit; a VLAN tag has been taken out by the kernel."""
ETHERTYPE = 0x88CC
LONGEST = 255
"""Characters of a text."""

_END, _CHASSIS, _PORT, _LIFE, _PORT_TEXT, _NAME, _TEXT, _ADDRESS, _OWN = 0, 1, 2, 3, 4, 5, 6, 8, 127
_MAC_CHASSIS, _ADDRESS_CHASSIS = 4, 5
_MAC_PORT, _ADDRESS_PORT = 3, 4
_FAMILIES = {1: 4, 2: 16}
"""IANA address family -> octets: IPv4 and IPv6."""
_DOT1_PVID = bytes.fromhex("0080c201")
"""Organizationally specific: IEEE 802.1, subtype 1, port VLAN ID (802.1Q annex D)."""


@dataclass(frozen=True)
class Neighbour:
    """One port at the other end of a cable, in its own words; an empty text was not said."""

    chassis: str
    port: str
    seconds: int
    """How long this holds; 0: it says farewell."""
    port_text: str = ""
    system: str = ""
    system_text: str = ""
    address: str = ""
    """Where it is managed."""
    vlan: int | None = None
    """What frames without a tag belong to."""


def decode(frame: bytes) -> Neighbour | None:
    """What a frame says; None unless it begins with the three parts that each has to (clause 9.2.7.7.1)."""
    if len(frame) < HEADER or int.from_bytes(frame[12:14], "big") != ETHERTYPE:
        return None
    parts = list(_parts(frame[HEADER:]))
    if [kind for kind, _ in parts[:3]] != [_CHASSIS, _PORT, _LIFE] or len(parts[2][1]) < 2:
        return None
    chassis = _identity(parts[0][1], _MAC_CHASSIS, _ADDRESS_CHASSIS)
    port = _identity(parts[1][1], _MAC_PORT, _ADDRESS_PORT)
    if not chassis or not port:
        return None
    found = Neighbour(chassis, port, int.from_bytes(parts[2][1][:2], "big"))
    for kind, value in parts[3:]:
        found = _with(found, kind, value)
    return found


def _parts(unit: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each part, up to the end mark or to one that is cut off."""
    at = 0
    while at + 2 <= len(unit):
        head = int.from_bytes(unit[at : at + 2], "big")
        kind, length = head >> 9, head & 0x1FF
        value = unit[at + 2 : at + 2 + length]
        if kind == _END or len(value) < length:
            return
        yield kind, value
        at += 2 + length


def _identity(value: bytes, mac_subtype: int, address_subtype: int) -> str:
    """A chassis or port ID: an octet that says of what kind it is, and the rest."""
    if len(value) < 2:
        return ""
    subtype, rest = value[0], value[1:]
    if subtype == mac_subtype and len(rest) == 6:
        return rest.hex(":")
    if subtype == address_subtype:
        return _address(rest)
    return clean(rest)


def _address(value: bytes) -> str:
    """An address behind its family; "" for a family that people do not write down."""
    octets = value[1:]
    return str(ip_address(octets)) if value and _FAMILIES.get(value[0]) == len(octets) else ""


def _with(found: Neighbour, kind: int, value: bytes) -> Neighbour:
    """What is known after one more part; the first of a kind counts."""
    if kind == _PORT_TEXT:
        return replace(found, port_text=found.port_text or clean(value))
    if kind == _NAME:
        return replace(found, system=found.system or clean(value))
    if kind == _TEXT:
        return replace(found, system_text=found.system_text or clean(value))
    if kind == _ADDRESS and value:
        return replace(found, address=found.address or _address(value[1 : 1 + value[0]]))
    if kind == _OWN and value[:4] == _DOT1_PVID and len(value) == 6:
        return replace(found, vlan=int.from_bytes(value[4:], "big") or None)
    return found


def clean(value: bytes) -> str:
    """A text with everything replaced that is not printable; a zero ends it, as many senders think."""
    text = value.partition(b"\0")[0].decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:LONGEST].strip()
