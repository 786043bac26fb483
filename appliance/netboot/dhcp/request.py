"""A client's message, parsed once: everything that the responder decides by (pure)."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.netboot.dhcp.options import Code, DecodeError, MessageKind, decode_address, decode_encapsulated
from appliance.netboot.dhcp.packet import BOOTREPLY, BOOTREQUEST, DEFAULT_REPLY, ETHERNET, NOWHERE, Packet, decode
from appliance.netboot.firmware import Client, classify

SERVER_PORT = 67
PROXY_PORT = 4011
_MAC_SIZE = 6
_IP_UDP_HEADERS = 28
_ETHERNET_MTU = 1500
_LINK_SELECTION = 5
_SERVER_OVERRIDE = 11
_LABEL_SIZE = 63
PROBE_MARK = b"qrm-probe"
"""Option 240 of whoever only examines the network."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a datagram came in."""

    interface: str
    local: IPv4Address
    """Our address on that interface."""
    source: IPv4Address
    destination: IPv4Address
    """The IP destination address: 255.255.255.255, or one of ours."""
    port: int = SERVER_PORT
    """Our port: 67, or 4011 of a proxy."""


@dataclass(frozen=True, slots=True)
class Request:
    """A well-formed message of a client on Ethernet."""

    packet: Packet
    arrival: Arrival
    kind: MessageKind
    mac: str
    client: Client

    @property
    def requested(self) -> IPv4Address | None:
        """Option 50."""
        return decode_address(self.packet.options.get(Code.REQUESTED_ADDRESS))

    @property
    def server_id(self) -> IPv4Address | None:
        """Option 54: the server that the client chose."""
        return decode_address(self.packet.options.get(Code.SERVER_ID))

    @property
    def is_probe(self) -> bool:
        """Whether ``qrm probe`` sent it, under an address that it made up: it is answered, and no news of anybody.

        It takes no address; who does is somebody, whatever the message says.
        """
        takes = self.kind is not MessageKind.DISCOVER and self.arrival.port != PROXY_PORT
        return not takes and self.packet.options.get(Code.PROBE) == PROBE_MARK

    @property
    def relayed(self) -> bool:
        """Whether the message came through a relay agent."""
        return self.packet.giaddr != NOWHERE

    @property
    def link(self) -> IPv4Address:
        """An address of the client's subnet when relayed (RFC 3527: link selection before giaddr)."""
        return self._relay_address(_LINK_SELECTION) or self.packet.giaddr

    @property
    def our_id(self) -> IPv4Address:
        """The server identifier to answer with: the relay's choice (RFC 5107), else our address here."""
        override = self._relay_address(_SERVER_OVERRIDE) if self.relayed else None
        return override or self.arrival.local

    def _relay_address(self, sub_option: int) -> IPv4Address | None:
        information = decode_encapsulated(self.packet.options.get(Code.RELAY_AGENT, b""))
        return decode_address(information.get(sub_option))

    @property
    def client_id(self) -> bytes:
        """Option 61; empty when there is none."""
        return self.packet.options.get(Code.CLIENT_ID, b"")

    @property
    def hostname(self) -> str:
        """Option 12 made safe: the first label, letters, digits and inner hyphens only; may be empty."""
        label = self.packet.options.get(Code.HOST_NAME, b"").split(b".")[0].decode("ascii", "ignore").lower()
        return re.sub(r"[^a-z0-9-]", "", label)[:_LABEL_SIZE].strip("-")

    @property
    def max_reply(self) -> int:
        """Octets that the reply may have: option 57 less the headers, within one Ethernet frame."""
        size = int.from_bytes(self.packet.options.get(Code.MAX_MESSAGE_SIZE, b"")[:2], "big")
        return max(DEFAULT_REPLY, min(size, _ETHERNET_MTU) - _IP_UDP_HEADERS)


def parse_request(data: bytes, arrival: Arrival) -> Request:
    """Read a client's message; raises DecodeError on anything that is not one."""
    packet = decode(data)
    if packet.op != BOOTREQUEST:
        raise DecodeError("not a request")
    return Request(packet, arrival, _kind(packet), _mac(packet), classify(packet.options))


def replying_server(data: bytes) -> IPv4Address | None:
    """The server whose reply this is; None where it is none, or does not say whose (RFC 2131 section 2)."""
    if data[:1] != bytes([BOOTREPLY]):
        return None
    try:
        return decode_address(decode(data).options.get(Code.SERVER_ID))
    except DecodeError:
        return None


def _kind(packet: Packet) -> MessageKind:
    value = packet.options.get(Code.MESSAGE_TYPE)
    if value is None:
        raise DecodeError("no message type (plain BOOTP is not served)")
    try:
        return MessageKind(int.from_bytes(value, "big"))
    except ValueError:
        raise DecodeError(f"unknown message type {value[:4].hex()}") from None


def _mac(packet: Packet) -> str:
    address = packet.chaddr
    if packet.htype != ETHERNET or len(address) != _MAC_SIZE:
        raise DecodeError("not an Ethernet hardware address")
    if address[0] & 1 or not any(address):
        raise DecodeError(f"{address.hex(':')} cannot be a computer's hardware address")
    return address.hex(":")
