"""A client's message, parsed once: everything that the responder decides by (pure)."""

import re
from ipaddress import IPv4Address

from msgspec import Struct

from appliance.lease import BY_PORT, BY_UUID
from appliance.netboot.dhcp.options import Code, DecodeError, MessageKind, decode_address
from appliance.netboot.dhcp.packet import BOOTREPLY, BOOTREQUEST, DEFAULT_REPLY, ETHERNET, NOWHERE, Packet, decode
from appliance.netboot.dhcp.relay import RelayAgent, read_relay
from appliance.netboot.firmware import Client, classify

SERVER_PORT = 67
PROXY_PORT = 4011
_MAC_SIZE = 6
_IP_UDP_HEADERS = 28
_ETHERNET_MTU = 1500
_LABEL_SIZE = 63
_REPLIES = bytes([BOOTREPLY])
_KINDS = {kind.value: kind for kind in MessageKind}
PROBE_MARK = b"qrm-probe"
"""Option 240 of whoever only examines the network."""


class Arrival(Struct, frozen=True):
    """How a datagram came in."""

    interface: str
    local: IPv4Address
    """Our address on that interface."""
    source: IPv4Address
    destination: IPv4Address
    """The IP destination address: 255.255.255.255, or one of ours."""
    port: int = SERVER_PORT
    """Our port: 67, or 4011 of a proxy."""
    source_port: int = 68
    """The port that it came from: 68, but UEFI asks a proxy from its own port 4011."""


class Request(Struct, frozen=True):
    """A well-formed message of a client on Ethernet."""

    packet: Packet
    arrival: Arrival
    kind: MessageKind
    mac: str
    client: Client
    relay: RelayAgent | None = None
    """The relay that the message came through; None for none."""

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
        return self.relay is not None

    @property
    def our_id(self) -> IPv4Address:
        """The server identifier to answer with: the relay's choice (RFC 5107), else our address here."""
        override = self.relay.server if self.relay is not None else None
        return override or self.arrival.local

    @property
    def owners(self) -> tuple[str, ...]:
        """Under what an address may be reserved for the client, the surest first: card, board, place."""
        uuid = () if self.client.uuid is None else (f"{BY_UUID}{self.client.uuid}",)
        ports = () if self.relay is None else tuple(f"{BY_PORT}{each}" for each in self.relay.ports)
        return (self.mac, *uuid, *ports)

    @property
    def wanted(self) -> bytes:
        """Option 55: codes of the options that the client asks for, in its order; empty when it does not say."""
        return self.packet.options.get(Code.PARAMETER_LIST, b"")

    @property
    def client_id(self) -> bytes:
        """Option 61; empty when there is none."""
        return self.packet.options.get(Code.CLIENT_ID, b"")

    @property
    def hostname(self) -> str:
        """Option 12 made safe: the first label, letters, digits and inner hyphens (``_`` is one); may be empty."""
        if Code.HOST_NAME not in self.packet.options:
            return ""
        label = self.packet.options[Code.HOST_NAME].split(b".")[0].decode("ascii", "ignore").lower()
        return re.sub(r"[^a-z0-9-]", "", label.replace("_", "-"))[:_LABEL_SIZE].strip("-")

    @property
    def max_reply(self) -> int:
        """Octets that the reply may have: option 57 less the headers, within one Ethernet frame."""
        if Code.MAX_MESSAGE_SIZE not in self.packet.options:
            return DEFAULT_REPLY
        size = int.from_bytes(self.packet.options[Code.MAX_MESSAGE_SIZE][:2], "big")
        return max(DEFAULT_REPLY, min(size, _ETHERNET_MTU) - _IP_UDP_HEADERS)


def parse_request(data: bytes, arrival: Arrival) -> Request:
    """Read a client's message; raises DecodeError on anything that is not one."""
    packet = decode(data)
    if packet.op != BOOTREQUEST:
        raise DecodeError("not a request")
    relay = None if packet.giaddr == NOWHERE else read_relay(packet.giaddr, packet.options.get(Code.RELAY_AGENT, b""))
    return Request(packet, arrival, _kind(packet), _mac(packet), classify(packet.options), relay)


def replying_server(data: bytes) -> IPv4Address | None:
    """The server whose reply this is; None where it is none, or does not say whose (RFC 2131 section 2)."""
    if data[:1] != _REPLIES:
        return None
    try:
        return decode_address(decode(data).options.get(Code.SERVER_ID))
    except DecodeError:
        return None


def _kind(packet: Packet) -> MessageKind:
    value = packet.options.get(Code.MESSAGE_TYPE)
    if value is None:
        raise DecodeError("no message type (plain BOOTP is not served)")
    kind = _KINDS.get(int.from_bytes(value, "big"))
    if kind is None:
        raise DecodeError(f"unknown message type {value[:4].hex()}")
    return kind


def _mac(packet: Packet) -> str:
    address = packet.chaddr
    if packet.htype != ETHERNET or len(address) != _MAC_SIZE:
        raise DecodeError("not an Ethernet hardware address")
    if address[0] & 1 or not any(address):
        raise DecodeError(f"{address.hex(':')} cannot be a computer's hardware address")
    return address.hex(":")
