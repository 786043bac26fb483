"""TFTP packets, bytes to values and back (RFC 1350 section 5, RFC 2347).

Pure. `decode` is the only reader of bytes from the network: whatever it lets through is well formed.
"""

import enum
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

LONGEST_REQUEST = 1024
"""Bytes. RFC 2347 allows a request of 512; some ROMs send more, none sends this much."""


class Opcode(enum.IntEnum):
    """The first two bytes of every packet."""

    READ = 1
    WRITE = 2
    DATA = 3
    ACK = 4
    ERROR = 5
    OACK = 6


class ErrorCode(enum.IntEnum):
    """RFC 1350 appendix, and 8 from RFC 2347."""

    UNDEFINED = 0
    NOT_FOUND = 1
    ACCESS_VIOLATION = 2
    DISK_FULL = 3
    ILLEGAL_OPERATION = 4
    UNKNOWN_TRANSFER = 5
    FILE_EXISTS = 6
    NO_SUCH_USER = 7
    OPTIONS_REFUSED = 8


class Mode(enum.Enum):
    """How a file's bytes travel. RFC 1350's third mode, mail, is obsolete and refused."""

    OCTET = "octet"
    NETASCII = "netascii"


class MalformedPacketError(ValueError):
    """The bytes are not a TFTP packet. The text says what is wrong with them."""


@dataclass(frozen=True)
class ReadRequest:
    """RRQ: `name` as sent; option names in lower case, their values as sent."""

    name: str
    mode: Mode
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WriteRequest:
    """WRQ, which this server always refuses."""

    name: str


@dataclass(frozen=True)
class Data:
    """One block; `block` is the 16-bit number on the wire."""

    block: int
    payload: bytes


@dataclass(frozen=True)
class Ack:
    """Everything up to the 16-bit block number `block` has arrived."""

    block: int


@dataclass(frozen=True)
class Failure:
    """ERROR: ends a transfer. `code` may be one that no RFC knows."""

    code: int
    message: str


@dataclass(frozen=True)
class OptionsAck:
    """OACK: the options that the server agrees to (RFC 2347)."""

    options: Mapping[str, str]


Packet = ReadRequest | WriteRequest | Data | Ack | Failure | OptionsAck


def decode(data: bytes) -> Packet:
    """Read one datagram. Raises MalformedPacketError for anything that is not a whole packet."""
    if len(data) < 4:
        raise MalformedPacketError(f"{len(data)} bytes are too few for a packet")
    opcode, number = struct.unpack_from("!HH", data)
    body = data[4:]
    match opcode:
        case Opcode.READ:
            return _decode_read(data[2:])
        case Opcode.WRITE:
            return WriteRequest(_text(_fields(data[2:])[0]))
        case Opcode.DATA:
            return Data(number, body)
        case Opcode.ACK:
            return Ack(number)  # ROMs that pad their ACKs are tolerated
        case Opcode.ERROR:
            return Failure(number, _text(body.split(b"\0")[0]))
        case Opcode.OACK:
            return OptionsAck(_options(_fields(data[2:])))
    raise MalformedPacketError(f"opcode {opcode} does not exist")


def encode(packet: Packet) -> bytes:
    """The datagram for `packet`."""
    match packet:
        case Data(block, payload):
            return struct.pack("!HH", Opcode.DATA, block) + payload
        case Ack(block):
            return struct.pack("!HH", Opcode.ACK, block)
        case Failure(code, message):
            return struct.pack("!HH", Opcode.ERROR, code) + message.encode() + b"\0"
        case OptionsAck(options):
            return struct.pack("!H", Opcode.OACK) + _strings(*_flatten(options))
        case ReadRequest(name, mode, options):
            return struct.pack("!H", Opcode.READ) + _strings(name, mode.value, *_flatten(options))
        case WriteRequest(name):
            return struct.pack("!H", Opcode.WRITE) + _strings(name, Mode.OCTET.value)


def _decode_read(body: bytes) -> ReadRequest:
    fields = _fields(body)
    if len(fields) < 2:
        raise MalformedPacketError("a request needs a file name and a mode")
    try:
        mode = Mode(_text(fields[1]).lower())
    except ValueError:
        raise MalformedPacketError("the mode must be octet or netascii") from None
    return ReadRequest(_name(fields[0]), mode, _options(fields[2:]))


def _name(raw: bytes) -> str:
    # Some PXE ROMs take DHCP's end marker (255) for the last character of option 67.
    name = _text(raw.rstrip(b"\xff"))
    if not name:
        raise MalformedPacketError("the file name is empty")
    return name


def _fields(body: bytes) -> list[bytes]:
    """The zero-terminated strings in `body`; a last one without its zero is not counted."""
    if len(body) > LONGEST_REQUEST:
        raise MalformedPacketError(f"a request of more than {LONGEST_REQUEST} bytes")
    fields = body.split(b"\0")[:-1]
    if not fields:
        raise MalformedPacketError("a string without its terminating zero")
    return fields


def _options(fields: list[bytes]) -> Mapping[str, str]:
    """Pairs of name and value. Names are case-insensitive (RFC 2347); the first of a name counts."""
    options: dict[str, str] = {}
    for name, value in zip(fields[::2], fields[1::2], strict=False):
        options.setdefault(_text(name).lower(), _text(value))
    return MappingProxyType(options)


def _text(raw: bytes) -> str:
    """Network bytes as text that any database or page can take."""
    return raw.decode("utf-8", "replace")


def _flatten(options: Mapping[str, str]) -> list[str]:
    return [text for pair in options.items() for text in pair]


def _strings(*texts: str) -> bytes:
    return b"".join(text.encode() + b"\0" for text in texts)
