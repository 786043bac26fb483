"""DISCOVERs as each kind of firmware sends them, and who answers. No address is ever taken: no REQUEST is sent."""

import secrets
from collections.abc import Sequence
from time import monotonic

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from appliance.probe.kinds import Kind, Wants
from appliance.probe.observe import frames
from appliance.probe.observe.wire import NOWHERE, Wire
from appliance.probe.observed import Bpdu, Heard, Offer

_BROADCAST = "ff:ff:ff:ff:ff:ff"
_FEATURES = bytes.fromhex("130101 210101 240101")
"""What iPXE lists in option 175: HTTP, images of its own, menus."""
_WANTED = [1, 3, 6, 12, 15, 28, 42, 43, 54, 60, 66, 67, 175]
_MARK = (240, b"qrm-probe")
"""An option of a site's own (RFC 3942), by which the appliance knows that nobody is behind the made-up address."""
_AGAIN_SECONDS = 1.0
_TIMES = 2


def made_up_mac() -> str:
    """A locally administered address that nobody has."""
    octets = bytes([secrets.randbits(8) & 0xFC | 0x02, *secrets.token_bytes(5)])
    return octets.hex(":")


def discover(kind: Kind, mac: str, transaction: int) -> Packet:
    """A DISCOVER that asks for a broadcast answer, since nobody has the MAC address it comes from."""
    frame = Ether(src=mac, dst=_BROADCAST) / IP(src=NOWHERE, dst="255.255.255.255") / UDP(sport=68, dport=67)
    hardware = bytes.fromhex(mac.replace(":", ""))
    return frame / BOOTP(chaddr=hardware, xid=transaction, flags="B") / DHCP(options=_options(kind))


def _options(kind: Kind) -> list[object]:
    options: list[object] = [("message-type", "discover"), ("param_req_list", _WANTED), ("max_dhcp_size", 1472)]
    if kind.architecture is not None:
        options += [(60, kind.vendor_class), (93, kind.architecture.to_bytes(2, "big")), (94, b"\x01\x03\x10")]
    if kind.wants is Wants.SCRIPT:
        options += [(77, b"iPXE"), (175, _FEATURES)]
    return [*options, _MARK, "end"]


class _Round:
    """What was asked and what came."""

    def __init__(self, wire: Wire, mac: str) -> None:
        self._wire, self._mac = wire, mac
        self._asked: dict[int, tuple[Kind, float]] = {}
        self._offers: dict[tuple[str, str, str], Offer] = {}
        self._bpdus: list[Bpdu] = []

    def ask(self, kinds: Sequence[Kind]) -> None:
        """A DISCOVER of each kind that some server has not answered; the same transaction as before."""
        for kind in kinds:
            if not self._answered(kind):
                known = next((xid for xid, (asked, _) in self._asked.items() if asked is kind), None)
                transaction = secrets.randbits(32) if known is None else known
                self._asked.setdefault(transaction, (kind, monotonic()))
                self._wire.send(discover(kind, self._mac, transaction))

    def hear(self, until: float) -> None:
        """Take in what comes until then."""
        for at, packet in self._wire.frames(until):
            if said := frames.bpdu(packet):
                self._bpdus.append(said)
            if (transaction := frames.offered_to(packet)) in self._asked:
                self._take(packet, *self._asked[transaction], at)

    def _take(self, packet: Packet, kind: Kind, asked: float, at: float) -> None:
        one = frames.offer(packet, kind.name, at - asked)
        self._offers.setdefault((one.kind, one.server, one.mac), one)

    def _answered(self, kind: Kind) -> bool:
        servers = {server for _, server, _ in self._offers}
        return bool(servers) and servers == {server for name, server, _ in self._offers if name == kind.name}

    def heard(self, seconds: float) -> Heard:
        """All of it."""
        return Heard(seconds, tuple(self._offers.values()), tuple(self._bpdus))


def listen(wire: Wire, kinds: Sequence[Kind], mac: str, seconds: float) -> Heard:
    """Ask as each of the kinds, and hear all that comes until the end, since there may be several servers.

    The first kind goes ahead: a server may look for an address in use before it offers it to a new client, and answers
    the last of that client's DISCOVERs only. What the others get, they get at once.
    """
    start, one = monotonic(), _Round(wire, mac)
    one.ask(kinds[:1])
    one.hear(start + seconds / 3)
    one.ask(kinds)
    one.hear(start + seconds * 2 / 3)
    one.ask(kinds)
    one.hear(start + seconds)
    return one.heard(monotonic() - start)


def first_answer(wire: Wire, kind: Kind, mac: str, start: float, until: float) -> float | None:
    """Ask each second until somebody answers; seconds from ``start``, None when nobody did."""
    transaction = secrets.randbits(32)
    while monotonic() < until:
        wire.send(discover(kind, mac, transaction))
        for at, packet in wire.frames(min(until, monotonic() + _AGAIN_SECONDS)):
            if frames.offered_to(packet) == transaction:
                return at - start
    return None


def ask_boot_server(wire: Wire, kind: Kind, macs: tuple[str, str], addresses: tuple[str, str]) -> Offer | None:
    """Ask a proxy on port 4011 what to boot; each pair is its own and ours. None when it does not answer.

    As PXE 2.1 section 2.2.4 has it: a REQUEST by unicast from the address that another server gave. None is taken.
    It is sent as UEFI sends it, from port 4011, where the answer has to come.
    """
    transaction, (server, ours) = secrets.randbits(32), addresses
    head = Ether(src=macs[1], dst=macs[0]) / IP(src=ours, dst=server) / UDP(sport=4011, dport=4011)
    options = [("message-type", "request"), *_options(kind)[1:]]
    hardware = bytes.fromhex(macs[1].replace(":", ""))
    for _ in range(_TIMES):
        start = monotonic()
        wire.send(head / BOOTP(chaddr=hardware, xid=transaction, ciaddr=ours) / DHCP(options=options))
        for at, packet in wire.frames(start + _AGAIN_SECONDS):
            if frames.acknowledged_to(packet) == transaction:
                return frames.offer(packet, kind.name, at - start)
    return None
