"""DHCP options: codes, and the wire form of an options area (RFC 2132, RFC 3396; pure)."""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv4Address

address_of = lru_cache(maxsize=8192)(IPv4Address)
"""The address of these four octets, this number or this text. Packets name few addresses again and again."""
text_of = lru_cache(maxsize=8192)(str)
"""An address as text; four times as fast as writing it anew."""

Options = Mapping[int, bytes]
"""Option code to value, in the order in which they stand in the packet."""

PAD = 0
END = 255
MAX_VALUE = 255
HEADER = 2
"""Octets before each value: code and length."""


class DecodeError(ValueError):
    """A packet that cannot be read; the text says what is wrong with it."""


class Code:
    """The options that we read or write (RFC 2132 unless noted).

    Plain numbers: every packet asks for dozens, and a member of an enumeration takes four times as long to get.
    """

    SUBNET_MASK = 1
    ROUTER = 3
    DNS_SERVERS = 6
    HOST_NAME = 12
    DOMAIN_NAME = 15
    BROADCAST_ADDRESS = 28
    NTP_SERVERS = 42
    VENDOR_INFORMATION = 43
    REQUESTED_ADDRESS = 50
    LEASE_TIME = 51
    OVERLOAD = 52
    MESSAGE_TYPE = 53
    SERVER_ID = 54
    PARAMETER_LIST = 55
    MESSAGE = 56
    MAX_MESSAGE_SIZE = 57
    RENEWAL_TIME = 58
    REBINDING_TIME = 59
    VENDOR_CLASS = 60
    CLIENT_ID = 61
    TFTP_SERVER_NAME = 66
    BOOT_FILE = 67
    USER_CLASS = 77  # RFC 3004
    RELAY_AGENT = 82  # RFC 3046
    ARCHITECTURE = 93  # RFC 4578
    CLIENT_UUID = 97  # RFC 4578
    IPXE = 175  # https://ipxe.org/howto/dhcpd
    PROBE = 240  # of `qrm probe`; a site's own (RFC 3942)


class MessageKind(IntEnum):
    """Option 53 (RFC 2132 section 9.6)."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8


MESSAGE_NAMES: Mapping[int, str] = {kind.value: kind.name.lower() for kind in MessageKind}
"""In lower case."""


def decode_options(area: bytes) -> dict[int, bytes]:
    """Options of one area; parts of a split option are joined (RFC 3396 section 7).

    A missing end mark is tolerated, since some ROMs leave it out. Raises DecodeError when an option
    reaches past the area.
    """
    options: dict[int, bytes] = {}
    position = 0
    size = len(area)
    while position < size and (code := area[position]) != END:
        if code == PAD:
            position += 1
            continue
        start = position + HEADER
        if start > size:
            raise DecodeError(f"option {code} has no length")
        position = start + area[start - 1]
        if position > size:
            raise DecodeError(f"option {code} is cut short")
        value = area[start:position]
        options[code] = options[code] + value if code in options else value
    return options


@lru_cache(maxsize=1024)
def encode_option(code: int, value: bytes) -> bytes:
    """One option; a value above 255 octets becomes several (RFC 3396 section 5)."""
    if len(value) <= MAX_VALUE:
        return bytes((code, len(value))) + value
    parts = [value[at : at + MAX_VALUE] for at in range(0, len(value), MAX_VALUE)]
    return b"".join(bytes((code, len(part))) + part for part in parts)


def decode_encapsulated(value: bytes) -> dict[int, bytes]:
    """Options inside an option (82, 175, 43); what cannot be read is left out, nothing is raised.

    The outer option belongs to somebody else's firmware, and a packet is good without it.
    """
    try:
        return decode_options(value)
    except DecodeError:
        return {}


def encode_addresses(values: Iterable[IPv4Address]) -> bytes:
    """IPv4 addresses one after the other, as options 3, 6 and 42 want them."""
    return b"".join(value.packed for value in values)


def decode_address(value: bytes | None) -> IPv4Address | None:
    """An option that holds one IPv4 address; None when it is missing or has another length."""
    return address_of(value) if value is not None and len(value) == 4 else None
