"""DHCP: every mode at once, with a disk and probes that sometimes fail. Only its holder is acknowledged an address."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface

from appliance.lease import Lease, Reservation
from appliance.netboot.dhcp.effects import Effect, Probe, Save, Send
from appliance.netboot.dhcp.options import Code, MessageKind
from appliance.netboot.dhcp.packet import MIN_REPLY, decode
from appliance.netboot.dhcp.request import PROXY_PORT, SERVER_PORT, Arrival
from appliance.netboot.dhcp.responder import Responder
from appliance.netboot.dhcp.subnet import AddressRange, Mode, Subnet
from tests.captures.book import sent_by_clients
from tests.fuzz.mutation import Chance

MODES: tuple[Mode, ...] = ("authoritative", "proxy", "reservations", "off")
MACS = tuple(bytes.fromhex(f"5254000000{number:02x}") for number in range(40))
EVERYBODY = IPv4Address("255.255.255.255")
MAC_AT = slice(28, 34)


def subnet(number: int, mode: Mode) -> Subnet:
    """10.`number`.0.0/24 on br`number`."""
    ours = IPv4Address(f"10.{number}.0.1")
    return Subnet(
        interface=f"br{number}",
        address=IPv4Interface(f"{ours}/24"),
        mode=mode,
        ranges=(AddressRange(ours + 49, ours + 79),),
        lease_seconds=60,
        gateway=ours,
        dns=(ours,),
        domain="lab.test",
    )


SUBNETS = [subnet(77 + number, mode) for number, mode in enumerate(MODES)]


@dataclass
class DhcpFuzz:
    """A responder with everything around it."""

    now: float = 1e9
    real: list[bytes] = field(default_factory=lambda: sent_by_clients("dhcp"))

    def __post_init__(self) -> None:
        kept = [Reservation(mac.hex(":"), IPv4Address("10.79.0.9") + at) for at, mac in enumerate(MACS[:10])]
        self._responder = Responder(SUBNETS, is_known=lambda mac: mac.endswith("1"), reservations=kept)

    def feed(self, data: bytes, chance: Chance) -> None:
        """One datagram arrives, most often of one of a few machines."""
        if len(data) > MAC_AT.stop and chance.random() < 0.8:
            data = data[: MAC_AT.start] + chance.choice(MACS) + data[MAC_AT.stop :]
        self.now += chance.random()
        served = chance.choice(SUBNETS)
        ours = served.address.ip
        source = IPv4Address(chance.choice((0, int(ours) + 50, chance.getrandbits(32))))
        port = chance.choice((SERVER_PORT, SERVER_PORT, PROXY_PORT))
        arrival = Arrival(served.interface, ours, source, chance.choice((EVERYBODY, ours)), port)
        self._carry_out(self._responder.receive_datagram(data, arrival, self.now), chance)
        deadline = self._responder.next_deadline()
        if deadline is not None and deadline <= self.now:
            self._carry_out(self._responder.handle_timer(self.now), chance)

    def _carry_out(self, effects: list[Effect], chance: Chance) -> None:
        for effect in effects:
            match effect:
                case Save(lease=lease):
                    self._save(lease, chance)
                case Probe():
                    used = chance.random() < 0.05
                    found = self._responder.probe_result(effect.interface, effect.address, used, self.now)
                    self._carry_out(found, chance)
                case Send(data=data):
                    self._sent(data)

    def _save(self, lease: Lease, chance: Chance) -> None:
        if chance.random() < 0.05:
            self._responder.save_failed([lease])
        else:
            self._carry_out(self._responder.saved([lease], self.now), chance)

    def _sent(self, data: bytes) -> None:
        reply = decode(data)
        assert len(data) >= MIN_REPLY
        seconds = int.from_bytes(reply.options.get(Code.LEASE_TIME, b""), "big")
        if reply.options[Code.MESSAGE_TYPE][0] == MessageKind.ACK and seconds:
            assert self._responder.holder(reply.yiaddr) == reply.chaddr.hex(":"), "another machine's"
