"""What scapy read, as values of ours. Whatever cannot be read counts as missing."""

from collections.abc import Iterable

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, SNAP, STP, Dot3, Ether
from scapy.packet import Packet, bind_bottom_up

from appliance.probe.observe.wire import NOWHERE
from appliance.probe.observed import Bpdu, Offer

for port in (68, 4011):  # answers of a proxy, to BIOS and to UEFI, which scapy does not take for DHCP
    bind_bottom_up(UDP, BOOTP, sport=4011, dport=port)

_OFFER, _ACK = 2, 5
_PVST = 0x010B


def offer(packet: Packet, kind: str, after: float) -> Offer:
    """A packet that is an offer, see ``offered_to``."""
    bootp, options = packet[BOOTP], _options(packet)
    return Offer(
        kind=kind,
        server=_address(options.get("server_id")) or (packet[IP].src if IP in packet else ""),
        mac=packet[Ether].src,
        after=after,
        address=_address((bootp.yiaddr,)),
        mask=_address(options.get("subnet_mask")),
        next_server=_address((bootp.siaddr,)),
        boot_file=_text(options.get("boot-file-name")) or _text((bootp.file,)),
        vendor_class=_text(options.get("vendor_class_id")),
        routers=_addresses(options.get("router")),
        dns=_addresses(options.get("name_server")),
        domain=_text(options.get("domain")),
        lease_seconds=_number(options.get("lease_time")),
    )


def offered_to(packet: Packet) -> int | None:
    """The transaction that an offer answers; None for all other packets."""
    return _answers(packet, _OFFER)


def acknowledged_to(packet: Packet) -> int | None:
    """The transaction that an acknowledgement answers; None for all other packets."""
    return _answers(packet, _ACK)


def _answers(packet: Packet, message: int) -> int | None:
    if Ether not in packet or BOOTP not in packet or packet[BOOTP].op != 2:
        return None
    return int(packet[BOOTP].xid) if _number(_options(packet).get("message-type")) == message else None


def bpdu(packet: Packet) -> Bpdu | None:
    """What a switch said; None for all other packets, and for those that announce changes."""
    tree = packet[STP] if STP in packet else _per_vlan(packet)
    if tree is None or tree.bpdutype not in (0, 2) or Dot3 not in packet:
        return None
    return Bpdu(
        bridge=str(tree.bridgemac),
        root=str(tree.rootmac),
        version=int(tree.version),
        flags=int(tree.bpduflags),
        forward_delay=float(tree.fwddelay),
        hello=float(tree.hellotime),
    )


def _per_vlan(packet: Packet) -> Packet | None:
    """Cisco's form: the same after another header."""
    if SNAP not in packet or packet[SNAP].code != _PVST:
        return None
    return STP(bytes(packet[SNAP].payload))


def answers_for(packet: Packet, address: str) -> str | None:
    """MAC address of who says that it has an address."""
    if ARP not in packet or packet[ARP].op != 2 or packet[ARP].psrc != address:
        return None
    return str(packet[ARP].hwsrc)


def _options(packet: Packet) -> dict[str, tuple[object, ...]]:
    """Options by scapy's names for them; the first of each."""
    found: dict[str, tuple[object, ...]] = {}
    for option in packet[DHCP].options if DHCP in packet else ():
        if isinstance(option, tuple) and len(option) > 1:
            found.setdefault(str(option[0]), option[1:])
    return found


def _text(values: Iterable[object] | None) -> str:
    value = next(iter(values or ()), b"")
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.split("\0")[0]


def _addresses(values: Iterable[object] | None) -> tuple[str, ...]:
    return tuple(str(value) for value in values or () if value and value != NOWHERE)


def _address(values: Iterable[object] | None) -> str:
    return next(iter(_addresses(values)), "")


def _number(values: Iterable[object] | None) -> int | None:
    value = next(iter(values or ()), None)
    return value if isinstance(value, int) else None
