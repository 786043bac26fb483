"""The DHCP packet, its wire form in and out (RFC 2131 section 2; pure)."""

import struct
from ipaddress import IPv4Address

from msgspec import Struct, field

from appliance.netboot.dhcp.options import (
    END,
    HEADER,
    MAX_VALUE,
    MESSAGE_NAMES,
    Code,
    DecodeError,
    Options,
    address_of,
    decode_options,
    encode_option,
)

BOOTREQUEST = 1
BOOTREPLY = 2
ETHERNET = 1
BROADCAST_FLAG = 0x8000
MAGIC_COOKIE = b"\x63\x82\x53\x63"

_FIXED = struct.Struct("!BBBBIHHIIII16s64s128s4s")
_SNAME_SIZE = 64
_FILE_SIZE = 128
_OVERLOAD_FILE = 1
_OVERLOAD_SNAME = 2
_OVERLOAD_LENGTH = 3
_LEAST = 48
"""Octets that are left to an answer beside the relay's data: what it is, whose, and for how long."""
_END = bytes([END])

MIN_REPLY = 300
"""Octets; relays and ROMs made for BOOTP throw shorter packets away (RFC 1542 section 2.1)."""
DEFAULT_REPLY = 548
"""Octets that fit the 576-octet datagram every client must take (RFC 2131 section 2)."""

NOWHERE = IPv4Address(0)


class Packet(Struct, frozen=True):
    """A DHCP packet. Field names are those of RFC 2131."""

    op: int
    xid: int
    chaddr: bytes
    """The hardware address, as long as it is (6 octets on Ethernet), without padding."""
    htype: int = ETHERNET
    hops: int = 0
    secs: int = 0
    flags: int = 0
    ciaddr: IPv4Address = NOWHERE
    yiaddr: IPv4Address = NOWHERE
    siaddr: IPv4Address = NOWHERE
    giaddr: IPv4Address = NOWHERE
    sname: bytes = b""
    file: bytes = b""
    options: Options = field(default_factory=dict)

    @property
    def broadcast(self) -> bool:
        """Whether the client asks for a broadcast answer."""
        return bool(self.flags & BROADCAST_FLAG)


def decode(data: bytes) -> Packet:
    """Read a packet. Raises DecodeError, and nothing else, on whatever cannot be one."""
    if len(data) < _FIXED.size:
        raise DecodeError(f"{len(data)} octets, a DHCP packet has at least {_FIXED.size}")
    head = _FIXED.unpack_from(data)
    op, htype, hlen, hops, xid, secs, flags, ciaddr, yiaddr, siaddr, giaddr, chaddr, sname, file, magic = head
    if magic != MAGIC_COOKIE:
        raise DecodeError("no DHCP magic cookie")
    if hlen > len(chaddr):
        raise DecodeError(f"hardware address of {hlen} octets")
    options, sname, file = _gather(data[_FIXED.size :], sname, file)
    return Packet(
        op=op,
        htype=htype,
        hops=hops,
        xid=xid,
        secs=secs,
        flags=flags,
        ciaddr=address_of(ciaddr) if ciaddr else NOWHERE,
        yiaddr=address_of(yiaddr) if yiaddr else NOWHERE,
        siaddr=address_of(siaddr) if siaddr else NOWHERE,
        giaddr=address_of(giaddr) if giaddr else NOWHERE,
        chaddr=chaddr[:hlen],
        sname=_text(sname),
        file=_text(file),
        options=options,
    )


def _text(padded: bytes) -> bytes:
    """What stands before the first NUL."""
    return padded.split(b"\0", 1)[0] if padded[:1] != b"\0" else b""


def _gather(area: bytes, sname: bytes, file: bytes) -> tuple[dict[int, bytes], bytes, bytes]:
    """All options, and the two fields when they hold no options.

    Overloaded fields come after the options area: file first, then sname (RFC 3396 section 5).
    """
    options = decode_options(area)
    overload = options.pop(Code.OVERLOAD, b"\0")
    if overload == b"\0":
        return options, sname, file
    if overload not in (b"\1", b"\2", b"\3"):
        raise DecodeError("option overload is neither 1, 2 nor 3")
    if overload[0] & _OVERLOAD_FILE:
        _join(options, decode_options(file))
        file = b""
    if overload[0] & _OVERLOAD_SNAME:
        _join(options, decode_options(sname))
        sname = b""
    return options, sname, file


def _join(options: dict[int, bytes], more: dict[int, bytes]) -> None:
    more.pop(Code.OVERLOAD, None)
    for code, value in more.items():
        options[code] = options.get(code, b"") + value


def encode(packet: Packet, limit: int = DEFAULT_REPLY) -> bytes:
    """The wire form in at most `limit` octets (but never less than RFC 2131 guarantees a client takes).

    Options go out in their order, option 82 last (RFC 3046 section 2.1). What does not fit goes into
    the file and sname fields if those are free (option overload), and is left out after that: put
    the important ones first.
    """
    room = max(limit, DEFAULT_REPLY) - _FIXED.size
    main, file, sname = _spread(packet, room)
    data = _head(packet, sname, file) + main
    return data.ljust(MIN_REPLY, b"\0")


def kind_of_reply(data: bytes) -> str:
    """The kind of a reply that `encode` made, in lower case; the kind is the first option of all replies of ours."""
    code, kind = data[_FIXED.size], data[_FIXED.size + HEADER]
    return MESSAGE_NAMES[kind] if code == Code.MESSAGE_TYPE else "other"


def _head(packet: Packet, sname: bytes, file: bytes) -> bytes:
    return _FIXED.pack(
        packet.op,
        packet.htype,
        len(packet.chaddr),
        packet.hops,
        packet.xid,
        packet.secs,
        packet.flags,
        int(packet.ciaddr),
        int(packet.yiaddr),
        int(packet.siaddr),
        int(packet.giaddr),
        packet.chaddr,
        sname,
        file,
        MAGIC_COOKIE,
    )


def _spread(packet: Packet, room: int) -> tuple[bytes, bytes, bytes]:
    """The options area and the file and sname fields."""
    options = [encode_option(code, value) for code, value in packet.options.items() if code != Code.RELAY_AGENT]
    last = _relay_option(packet, room)
    whole = b"".join((*options, last, _END))
    if len(whole) <= room:
        return whole, packet.file, packet.sname
    main, rest = _fill(options, room - len(last) - _OVERLOAD_LENGTH - 1)
    file, rest = _fill(rest, 0 if packet.file else _FILE_SIZE - 1)
    sname, rest = _fill(rest, 0 if packet.sname else _SNAME_SIZE - 1)
    used = (_OVERLOAD_FILE if file else 0) | (_OVERLOAD_SNAME if sname else 0)
    overload = encode_option(Code.OVERLOAD, bytes([used])) if used else b""
    return (
        main + overload + last + _END,
        file + _END if file else packet.file,
        sname + _END if sname else packet.sname,
    )


def _relay_option(packet: Packet, room: int) -> bytes:
    value = packet.options.get(Code.RELAY_AGENT)
    if value is None or len(value) > min(MAX_VALUE, room - _LEAST - HEADER):
        return b""  # RFC 3046 section 2.2: what does not fit is left out as a whole
    return encode_option(Code.RELAY_AGENT, value)


def _fill(options: list[bytes], room: int) -> tuple[bytes, list[bytes]]:
    """Options that fit into `room` octets, in order, and those that are left."""
    taken: list[bytes] = []
    left: list[bytes] = []
    for option in options:
        fits = len(option) <= room
        (taken if fits else left).append(option)
        room -= len(option) if fits else 0
    return b"".join(taken), left
