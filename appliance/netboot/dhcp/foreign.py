"""Looking for other DHCP servers: what is asked, and whose answers count (RFC 2131; pure)."""

from ipaddress import IPv4Address

from appliance.netboot.dhcp.frame import Endpoint, udp_frame, udp_payload
from appliance.netboot.dhcp.options import Code, DecodeError, MessageKind, decode_address
from appliance.netboot.dhcp.packet import BOOTREPLY, BOOTREQUEST, BROADCAST_FLAG, NOWHERE, Packet, decode, encode
from appliance.netboot.dhcp.reply import BROADCAST_MAC, CLIENT_PORT, EVERYBODY
from appliance.netboot.dhcp.request import PROBE_MARK, SERVER_PORT

_WANTED = bytes([Code.SUBNET_MASK, Code.ROUTER, Code.DNS_SERVERS, Code.LEASE_TIME, Code.SERVER_ID])
_LIMIT = 548


def throw_away_mac(random: bytes) -> str:
    """A hardware address of nobody's, of five random octets: locally administered, for one machine (IEEE 802)."""
    return (b"\x02" + random[:5]).hex(":")


def discover_frame(source_mac: str, mac: str, xid: int) -> bytes:
    """A DISCOVER of an ordinary computer with the hardware address `mac`, to everybody.

    It asks for a broadcast answer, since the interface listens to its own address and to that of everybody only.
    Another appliance of ours sees by the mark that nobody asks.
    """
    options: dict[int, bytes] = {
        Code.MESSAGE_TYPE: bytes([MessageKind.DISCOVER]),
        Code.PARAMETER_LIST: _WANTED,
        Code.PROBE: PROBE_MARK,
    }
    chaddr = bytes.fromhex(mac.replace(":", ""))
    packet = Packet(op=BOOTREQUEST, xid=xid, chaddr=chaddr, flags=BROADCAST_FLAG, options=options)
    ends = Endpoint(source_mac, NOWHERE, CLIENT_PORT), Endpoint(BROADCAST_MAC, EVERYBODY, SERVER_PORT)
    return udp_frame(*ends, encode(packet, _LIMIT))


def giving_server(frame: bytes) -> IPv4Address | None:
    """The server that gives an address in this Ethernet frame, to us or to anybody else; None where none does.

    A proxy, which says only what to boot, gives none. Who does not name itself is known by where it sends from.
    """
    sent = udp_payload(frame, CLIENT_PORT)
    if sent is None or sent[1][:1] != bytes([BOOTREPLY]):
        return None
    source, payload = sent
    try:
        packet = decode(payload)
    except DecodeError:
        return None
    if packet.yiaddr == NOWHERE:
        return None
    return decode_address(packet.options.get(Code.SERVER_ID)) or source
