"""What a relay adds to a message: which subnet, and which port of which relay (RFC 3046, 3527, 5107; pure)."""

from functools import lru_cache
from ipaddress import IPv4Address

from msgspec import Struct

from appliance.lease import relay_port
from appliance.netboot.dhcp.options import decode_address, decode_encapsulated, text_of

_CIRCUIT_ID = 1
_REMOTE_ID = 2
_LINK_SELECTION = 5
_SERVER_OVERRIDE = 11


class RelayAgent(Struct, frozen=True):
    """The relay's own words: giaddr and option 82."""

    address: IPv4Address
    """giaddr: where the answer goes."""
    link: IPv4Address
    """An address of the client's subnet (RFC 3527: link selection before giaddr)."""
    server: IPv4Address | None
    """The server identifier that clients are to be told (RFC 5107)."""
    ports: tuple[str, ...]
    """The names by which an address may be reserved for the port: by remote-id, then by giaddr; none where the relay
    does not say which port it is.
    """
    port: str
    """The port for people to read, and to count by: ``10.78.0.1/eth3``; the relay's address where it names none."""


@lru_cache(maxsize=1024)
def read_relay(giaddr: IPv4Address, said: bytes) -> RelayAgent:
    """The relay of a message whose giaddr is set, and whose option 82 is `said`, empty where there is none.

    Sub-options that cannot be read count as missing.
    """
    options = decode_encapsulated(said)
    ports = _ports(giaddr, options.get(_REMOTE_ID, b""), options.get(_CIRCUIT_ID, b""))
    return RelayAgent(
        address=giaddr,
        link=decode_address(options.get(_LINK_SELECTION)) or giaddr,
        server=decode_address(options.get(_SERVER_OVERRIDE)),
        ports=ports,
        port=ports[-1] if ports else text_of(giaddr),
    )


def _ports(giaddr: IPv4Address, remote_id: bytes, circuit_id: bytes) -> tuple[str, ...]:
    """By the relay's own words for itself, or which customer it is, and for its port; by its address and that."""
    if not circuit_id:
        return ()
    by_address = relay_port(text_of(giaddr).encode("ascii"), circuit_id)
    return (relay_port(remote_id, circuit_id), by_address) if remote_id else (by_address,)
