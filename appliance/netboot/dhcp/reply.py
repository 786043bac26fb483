"""Replies: what stands in them and where they go (RFC 2131 sections 4.1 and 4.3, table 3; pure)."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address

from msgspec import Struct, field

from appliance.netboot.dhcp.options import Code, MessageKind
from appliance.netboot.dhcp.packet import BOOTREPLY, BROADCAST_FLAG, NOWHERE, Packet, encode
from appliance.netboot.dhcp.request import SERVER_PORT, Request
from appliance.netboot.firmware import BootFile

CLIENT_PORT = 68
EVERYBODY = IPv4Address("255.255.255.255")
BROADCAST_MAC = "ff:ff:ff:ff:ff:ff"

_FILE_ROOM = 127
"""Octets of the file field that a NUL still follows."""
_MESSAGE_ROOM = 200
_USE_BOOT_FILE = b"\x06\x01\x08\xff"
"""PXE discovery control: load the file named here, look for no boot server (PXE 2.1, table 2-2)."""
_REBINDING_EIGHTHS = 7

_NOTHING: Mapping[int, bytes] = {}
_ECHOED = (Code.CLIENT_ID, Code.CLIENT_UUID)
"""RFC 6842, RFC 4578 section 2.3."""


class Destination(Struct, frozen=True):
    """Where a reply goes."""

    interface: str
    address: IPv4Address
    port: int
    mac: str | None = None
    """Set when the frame must be addressed by hand: the receiver cannot answer ARP yet."""


class Terms(Struct, frozen=True):
    """What a client is offered or granted."""

    address: IPv4Address
    seconds: int
    boot: BootFile | None = None
    told: Mapping[int, bytes] = field(default_factory=dict)
    """Code and octets of what it is told of its network."""


def offer(request: Request, server: IPv4Address, terms: Terms) -> bytes:
    """A DHCPOFFER in wire form."""
    return _lease_reply(MessageKind.OFFER, request, server, terms)


def ack(request: Request, server: IPv4Address, terms: Terms) -> bytes:
    """A DHCPACK to a DHCPREQUEST in wire form."""
    return _lease_reply(MessageKind.ACK, request, server, terms)


def _lease_reply(kind: MessageKind, request: Request, server: IPv4Address, terms: Terms) -> bytes:
    options = dict(_lease_start(kind, server, terms.seconds))
    ciaddr = request.packet.ciaddr if kind is MessageKind.ACK else NOWHERE
    return _encode(request, options, terms.boot, terms.told, yiaddr=terms.address, ciaddr=ciaddr)


@lru_cache(maxsize=256)
def _lease_start(kind: MessageKind, server: IPv4Address, seconds: int) -> Mapping[int, bytes]:
    """What all that are leased an address for so long are told first."""
    return {
        **_start(kind, server),
        Code.LEASE_TIME: seconds.to_bytes(4, "big"),
        Code.RENEWAL_TIME: (seconds // 2).to_bytes(4, "big"),
        Code.REBINDING_TIME: (seconds * _REBINDING_EIGHTHS // 8).to_bytes(4, "big"),
    }


def inform_ack(request: Request, server: IPv4Address, terms: Terms) -> bytes:
    """The answer to a DHCPINFORM: no address, no times (RFC 2131 section 4.3.5)."""
    return _encode(request, _start(MessageKind.ACK, server), terms.boot, terms.told, ciaddr=request.packet.ciaddr)


def proxy(kind: MessageKind, request: Request, server: IPv4Address, boot: BootFile) -> bytes:
    """Boot information without an address, beside another DHCP server (PXE 2.1, section 2.2)."""
    options = _start(kind, server)
    if not boot.vendor_class:
        options |= {Code.VENDOR_CLASS: b"PXEClient", Code.VENDOR_INFORMATION: _USE_BOOT_FILE}
        # iPXE takes a proxy's offer only with a next server in it, although it boots from a URL.
        boot = BootFile(boot.name, next_server=server)
    return _encode(request, options, boot)


def nak(request: Request, server: IPv4Address, reason: str) -> bytes:
    """A DHCPNAK; through a relay with the broadcast flag, since the client's address is wrong."""
    options = _start(MessageKind.NAK, server)
    options[Code.MESSAGE] = reason.encode("ascii", "replace")[:_MESSAGE_ROOM]
    return _encode(request, options, None, flags=BROADCAST_FLAG if request.relayed else request.packet.flags)


def _start(kind: MessageKind, server: IPv4Address) -> dict[int, bytes]:
    return {Code.MESSAGE_TYPE: bytes([kind]), Code.SERVER_ID: server.packed}


def _boot(boot: BootFile) -> dict[int, bytes]:
    options: dict[int, bytes] = {
        Code.VENDOR_CLASS: boot.vendor_class,
        Code.TFTP_SERVER_NAME: b"" if boot.next_server is None else str(boot.next_server).encode("ascii"),
        Code.BOOT_FILE: boot.name.encode("ascii"),
        Code.IPXE: boot.ipxe,
    }
    return {code: value for code, value in options.items() if value}


def _encode(
    request: Request,
    options: dict[int, bytes],
    boot: BootFile | None,
    told: Mapping[int, bytes] = _NOTHING,
    *,
    yiaddr: IPv4Address = NOWHERE,
    ciaddr: IPv4Address = NOWHERE,
    flags: int | None = None,
) -> bytes:
    """Add what every reply has: the boot file in field and option, the echoes, the relay's data last; what is `told`
    of the network stands before that, where the least of it is lost if it does not fit.
    """
    packet = request.packet
    if boot is not None:
        options |= _boot(boot)
    for code in _ECHOED:
        if code in packet.options:
            options[code] = packet.options[code]
    options |= {**told, **options}  # in the order of `options`, then of what only `told` has
    if Code.RELAY_AGENT in packet.options:
        options[Code.RELAY_AGENT] = packet.options[Code.RELAY_AGENT]
    name = b"" if boot is None else boot.name.encode("ascii")
    reply = Packet(
        op=BOOTREPLY,
        xid=packet.xid,
        chaddr=packet.chaddr,
        flags=packet.flags if flags is None else flags,
        ciaddr=ciaddr,
        yiaddr=yiaddr,
        siaddr=NOWHERE if boot is None or boot.next_server is None else boot.next_server,
        giaddr=packet.giaddr,
        file=name if len(name) <= _FILE_ROOM else b"",
        options=options,
    )
    return encode(reply, request.max_reply)


def destination(request: Request, address: IPv4Address) -> Destination:
    """Where an OFFER or ACK about `address` goes (RFC 2131 section 4.1).

    To the relay; to the address if the client says that it uses it; to everybody if it asks for that;
    else straight to its card. A ciaddr that is not the address we mean is never trusted: it would let
    anybody send our packets anywhere.
    """
    interface, packet = request.arrival.interface, request.packet
    if request.relayed:
        return Destination(interface, packet.giaddr, SERVER_PORT)
    if address == NOWHERE or (packet.broadcast and packet.ciaddr == NOWHERE):
        return Destination(interface, EVERYBODY, CLIENT_PORT, BROADCAST_MAC)
    if packet.ciaddr == address:
        return Destination(interface, address, CLIENT_PORT)
    return Destination(interface, address, CLIENT_PORT, request.mac)


def nak_destination(request: Request) -> Destination:
    """Where a NAK goes: to the relay, else to everybody."""
    if request.relayed:
        return Destination(request.arrival.interface, request.packet.giaddr, SERVER_PORT)
    return Destination(request.arrival.interface, EVERYBODY, CLIENT_PORT, BROADCAST_MAC)
