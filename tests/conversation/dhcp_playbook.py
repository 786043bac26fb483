"""A client, a clock and a disk, all moved by hand: DHCP conversations without a network."""

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface

from appliance.lease import Lease, Reservation
from appliance.netboot.dhcp.effects import Effect, Probe, Publish, Save, Send
from appliance.netboot.dhcp.facts import Fact
from appliance.netboot.dhcp.options import Code, MessageKind, encode_option
from appliance.netboot.dhcp.packet import BOOTREQUEST, NOWHERE, Packet, decode, encode
from appliance.netboot.dhcp.request import Arrival
from appliance.netboot.dhcp.responder import Responder
from appliance.netboot.dhcp.subnet import AddressRange, Subnet

SERVER = IPv4Address("10.77.0.1")
MAC = "52:54:00:00:00:01"
OTHER_MAC = "52:54:00:00:00:02"
LEASE = 1000
EVERYBODY = IPv4Address("255.255.255.255")


def address(last: int) -> IPv4Address:
    """10.77.0.`last`."""
    return IPv4Address(f"10.77.0.{last}")


SUBNET = Subnet(
    interface="br0",
    address=IPv4Interface("10.77.0.1/24"),
    ranges=(AddressRange(address(50), address(60)),),
    lease_seconds=LEASE,
    gateway=SERVER,
    dns=(SERVER,),
    ntp=(SERVER,),
    domain="lab.test",
)


def message(
    kind: MessageKind,
    mac: str = MAC,
    *,
    xid: int = 1,
    ciaddr: IPv4Address = NOWHERE,
    giaddr: IPv4Address = NOWHERE,
    flags: int = 0,
    options: dict[int, bytes] | None = None,
) -> bytes:
    """A client's packet in wire form."""
    packet = Packet(
        op=BOOTREQUEST,
        xid=xid,
        chaddr=bytes.fromhex(mac.replace(":", "")),
        ciaddr=ciaddr,
        giaddr=giaddr,
        flags=flags,
        options={Code.MESSAGE_TYPE: bytes([kind]), **(options or {})},
    )
    return encode(packet, limit=1472)


def encapsulated(options: dict[int, bytes]) -> bytes:
    """Options inside an option."""
    return b"".join(encode_option(code, value) for code, value in options.items())


def kind_of(packet: Packet) -> MessageKind:
    """What a reply is."""
    return MessageKind(packet.options[Code.MESSAGE_TYPE][0])


@dataclass
class Playbook:
    """One responder with everything around it. A disk that is not `stuck` writes at once."""

    subnet: Subnet = SUBNET
    others: tuple[Subnet, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    known: set[str] = field(default_factory=set)
    now: float = 10_000.0
    stuck: bool = False
    occupied: set[IPv4Address] = field(default_factory=set)
    """Addresses for which somebody answers ARP."""
    answer_probes: bool = True
    disk: dict[IPv4Address, Lease] = field(default_factory=dict)
    waiting: list[Lease] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    sent: list[Send] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.responder = self._started()

    def _started(self) -> Responder:
        return Responder(
            [self.subnet, *self.others],
            is_known=self.known.__contains__,
            reservations=self.reservations,
            leases=list(self.disk.values()),
        )

    def kill_and_restart(self) -> None:
        """What was not on the disk is gone."""
        self.waiting.clear()
        self.responder = self._started()

    def configure(self, **changes: object) -> None:
        """Restart with another configuration."""
        self.subnet = replace(self.subnet, **changes)
        self.kill_and_restart()

    def receive(self, data: bytes, arrival: Arrival | None = None) -> list[Packet]:
        """The server receives a datagram; returns what it answers, after disk and probes."""
        came = arrival or Arrival("br0", SERVER, NOWHERE, EVERYBODY)
        return self._collect(self.responder.receive_datagram(data, came, self.now))

    def _collect(self, effects: list[Effect]) -> list[Packet]:
        before = len(self.sent)
        self._apply(effects)
        return [decode(send.data) for send in self.sent[before:]]

    def _apply(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self.sent.append(effect)
                case Publish():
                    self.facts.append(effect.fact)
                case Save():
                    self.waiting.append(effect.lease)
                case Probe():
                    self.probes.append(effect)
        if not self.stuck:
            self._write()
        if self.answer_probes:
            self._probe()

    def _write(self) -> None:
        batch, self.waiting = self.waiting, []
        self.disk.update({lease.address: lease for lease in batch})
        if batch:
            self._apply(self.responder.saved(batch, self.now))

    def _probe(self) -> None:
        while self.probes:
            probe = self.probes.pop(0)
            in_use = probe.address in self.occupied
            self._apply(self.responder.probe_result(probe.interface, probe.address, in_use, self.now))

    def finish_probes(self) -> list[Packet]:
        """All probes that wait get their result."""
        before = len(self.sent)
        self._probe()
        return [decode(send.data) for send in self.sent[before:]]

    def disk_writes_only(self, count: int) -> list[Packet]:
        """The disk writes the first few of what waits, and sticks again."""
        batch, self.waiting = self.waiting[:count], self.waiting[count:]
        self.disk.update({lease.address: lease for lease in batch})
        return self._collect(self.responder.saved(batch, self.now))

    def disk_recovers(self) -> list[Packet]:
        """The disk writes all that waits."""
        self.stuck = False
        return self._collect([])

    def disk_fails(self) -> None:
        """The disk reports an error for all that waits."""
        batch, self.waiting = self.waiting, []
        self.responder.save_failed(batch)

    def pass_time(self, seconds: float) -> None:
        """Time passes; timers fire when they are due."""
        end = self.now + seconds
        while (deadline := self.responder.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self._apply(self.responder.handle_timer(self.now))
        self.now = end

    def discover(self, mac: str = MAC, *, options: dict[int, bytes] | None = None, **fields: object) -> list[Packet]:
        """The client sends DISCOVER."""
        return self.receive(message(MessageKind.DISCOVER, mac, options=options, **fields))

    def select(
        self,
        wanted: IPv4Address,
        mac: str = MAC,
        *,
        server: IPv4Address = SERVER,
        options: dict[int, bytes] | None = None,
    ) -> list[Packet]:
        """The client accepts an offer (SELECTING)."""
        chosen = {Code.SERVER_ID: server.packed, Code.REQUESTED_ADDRESS: wanted.packed, **(options or {})}
        return self.receive(message(MessageKind.REQUEST, mac, options=chosen))

    def relayed(
        self,
        kind: MessageKind,
        relay: IPv4Address,
        mac: str = MAC,
        *,
        information: dict[int, bytes] | None = None,
        options: dict[int, bytes] | None = None,
        **fields: object,
    ) -> list[Packet]:
        """A relay forwards a client's message, with sub-options of option 82 where it adds any."""
        added = {Code.RELAY_AGENT: encapsulated(information)} if information else {}
        said = {**(options or {}), **added}
        data = message(kind, mac, giaddr=relay, options=said, **fields)
        return self.receive(data, Arrival("br0", SERVER, relay, SERVER))

    def reboot(self, wanted: IPv4Address, mac: str = MAC) -> list[Packet]:
        """The client remembers an address (INIT-REBOOT)."""
        return self.receive(message(MessageKind.REQUEST, mac, options={Code.REQUESTED_ADDRESS: wanted.packed}))

    def renew(self, held: IPv4Address, mac: str = MAC) -> list[Packet]:
        """The client extends its lease by unicast (RENEWING)."""
        arrival = Arrival("br0", SERVER, held, SERVER)
        return self.receive(message(MessageKind.REQUEST, mac, ciaddr=held), arrival)

    def decline(self, refused: IPv4Address, mac: str = MAC) -> list[Packet]:
        """The client found somebody else on its address."""
        options = {Code.SERVER_ID: SERVER.packed, Code.REQUESTED_ADDRESS: refused.packed}
        return self.receive(message(MessageKind.DECLINE, mac, options=options))

    def release(self, held: IPv4Address, mac: str = MAC) -> list[Packet]:
        """The client gives its address back."""
        return self.receive(message(MessageKind.RELEASE, mac, ciaddr=held, options={Code.SERVER_ID: SERVER.packed}))

    def obtain(self, mac: str = MAC) -> IPv4Address:
        """DISCOVER, OFFER, REQUEST, ACK; returns the address."""
        (offer,) = self.discover(mac)
        (ack,) = self.select(offer.yiaddr, mac)
        assert kind_of(ack) is MessageKind.ACK
        return ack.yiaddr
