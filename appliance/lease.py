"""An address that a machine holds, and one that is kept for it (pure).

Whom an address is kept for is one word: a MAC address, ``uuid:`` and the SMBIOS UUID, or ``port:`` and the port of a
relay as ``RELAY/CIRCUIT``. The relay is its address (giaddr) or its remote-id, the circuit its circuit-id (RFC 3046),
as text where they are text, else ``0x`` and their octets.
"""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from msgspec import Struct

_LONGEST_ID = 250
"""Octets of a relay's word for itself or its port: option 82 has 255 with the heads of both."""


class LeaseState(StrEnum):
    """What a stored lease says about its address. Offers are never stored."""

    BOUND = "bound"
    RELEASED = "released"
    """Given back by its client; remembered so that the client gets it again."""
    DECLINED = "declined"
    """In use by a stranger: nobody gets it before `Lease.end`."""
    FORGOTTEN = "forgotten"
    """Told to the store only, which then keeps nothing of it."""


class Lease(Struct, frozen=True):
    """One address of one machine. The address is the key: a newer lease of it replaces the older."""

    mac: str
    """Lower case, colons: `52:54:00:12:34:56`."""
    address: IPv4Address
    interface: str
    """The interface of ours whose subnet the address belongs to."""
    client_id: bytes
    """Option 61 as it was sent; empty when the client sent none."""
    hostname: str
    """Cleaned: letters, digits and hyphens only; empty when there is none."""
    start: float
    """Unix time, seconds."""
    end: float
    """Unix time, seconds. For a bound lease later than what the client was told, by up to one lease time."""
    state: LeaseState
    port: str = ""
    """The relay's port that it was leased through last; empty where none was between."""


BY_UUID = "uuid:"
BY_PORT = "port:"


@dataclass(frozen=True, slots=True)
class Reservation:
    """An address that only this owner may have."""

    owner: str
    """A MAC address, or who it is by its UUID or the relay's port that it is behind."""
    address: IPv4Address
    hostname: str = ""


def relay_port(relay: bytes, circuit: bytes) -> str:
    """The port of a relay as it is written: by the relay's address or remote-id, and the circuit-id."""
    return f"{_words(relay, slash=False)}/{_words(circuit, slash=True)}"


def _words(octets: bytes, *, slash: bool) -> str:
    text = octets.decode("ascii", "replace")
    plain = all(" " <= each <= "~" for each in text) and text == text.strip() and not text.startswith("0x")
    return text if text and plain and (slash or "/" not in text) else f"0x{octets.hex()}"


def parse_relay_port(text: str) -> str:
    """A port as somebody wrote it, in the form that is compared; raises ValueError with what is wrong."""
    relay, slash, circuit = text.strip().partition("/")
    if not slash or not relay.strip() or not circuit.strip():
        raise ValueError(f"{text[:80]!r} is not RELAY/CIRCUIT")
    return relay_port(_octets(relay.strip()), _octets(circuit.strip()))


def _octets(text: str) -> bytes:
    if text.startswith("0x"):
        try:
            octets = bytes.fromhex(text[2:].replace(":", ""))
        except ValueError as error:
            raise ValueError(f"{text[:80]!r} begins with 0x and is not hexadecimal") from error
    else:
        if not text.isascii():
            raise ValueError(f"{text[:80]!r} has letters that no relay sends as they are: write its octets as 0x...")
        octets = text.encode("ascii")
    if not 1 <= len(octets) <= _LONGEST_ID:
        raise ValueError(f"{text[:80]!r} has {len(octets)} octets, 1 to {_LONGEST_ID} fit into option 82")
    return octets
