"""What a relay adds to a message: which subnet, and which port of which relay (RFC 3046, 3527, 5107; pure)."""

from ipaddress import IPv4Address

from msgspec import Struct

from appliance.lease import relay_port
from appliance.netboot.dhcp.options import Code, Options, decode_address, decode_encapsulated

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
    circuit_id: bytes
    """The relay's port, in its own words; empty where it does not say."""
    remote_id: bytes
    """Which relay, or which customer, in its own words; empty where it does not say."""

    @property
    def ports(self) -> tuple[str, ...]:
        """The names by which an address may be reserved for the port: by remote-id, then by giaddr; none without."""
        if not self.circuit_id:
            return ()
        by_address = relay_port(str(self.address).encode("ascii"), self.circuit_id)
        return (relay_port(self.remote_id, self.circuit_id), by_address) if self.remote_id else (by_address,)

    @property
    def port(self) -> str:
        """The port for people to read, and to count by: ``10.78.0.1/eth3``; the relay's address where it names none."""
        return self.ports[-1] if self.ports else str(self.address)


def read_relay(giaddr: IPv4Address, options: Options) -> RelayAgent:
    """The relay of a message whose giaddr is set; sub-options that cannot be read count as missing."""
    said = decode_encapsulated(options.get(Code.RELAY_AGENT, b""))
    return RelayAgent(
        address=giaddr,
        link=decode_address(said.get(_LINK_SELECTION)) or giaddr,
        server=decode_address(said.get(_SERVER_OVERRIDE)),
        circuit_id=said.get(_CIRCUIT_ID, b""),
        remote_id=said.get(_REMOTE_ID, b""),
    )
