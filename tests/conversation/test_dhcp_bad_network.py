"""DHCP on a network that loses, doubles, delays and turns round packets, with an appliance that dies in between.

Whatever happens, no two clients ever believe in one address; and once the network is well, everybody is bound soon.
"""

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

from dhcp_playbook import EVERYBODY, LEASE, SERVER, SUBNET, Playbook, address, kind_of, message
from hypothesis import event, given, settings
from hypothesis import strategies as st

from appliance.netboot.dhcp.options import Code, MessageKind
from appliance.netboot.dhcp.packet import NOWHERE, Packet
from appliance.netboot.dhcp.request import Arrival
from appliance.netboot.dhcp.subnet import AddressRange

CLIENTS = 4
STEPS = 60
FULL = replace(SUBNET, ranges=(AddressRange(address(50), address(49 + CLIENTS)),))
"""As many addresses as clients: whoever takes another one's is found out."""
ROUNDS = 12
"""Retries that every client gets by with, once the network is well."""


@dataclass
class Client:
    """RFC 2131 figure 5, as far as a network can confuse it."""

    mac: str
    xid: int = 0
    offered: IPv4Address | None = None
    held: IPv4Address = NOWHERE
    until: float = 0.0
    asking: IPv4Address | None = None
    asked_at: float = 0.0
    renewing: bool = False

    def bound(self, now: float) -> bool:
        """Whether it uses its address: no longer than it was told, counted from when it asked (section 4.4.5)."""
        return self.held != NOWHERE and now < self.until

    def speaks(self, now: float) -> tuple[bytes, Arrival]:
        """What it sends when it is its turn: the next message, or the last one again."""
        if self.bound(now):
            self.xid, self.asking, self.asked_at, self.renewing = self.xid + 1, self.held, now, True
            sent = message(MessageKind.REQUEST, self.mac, xid=self.xid, ciaddr=self.held)
            return sent, Arrival("br0", SERVER, self.held, SERVER)
        self.held, self.renewing = NOWHERE, False
        if self.offered is not None:
            self.asking, self.asked_at = self.offered, now
            options = {Code.SERVER_ID: SERVER.packed, Code.REQUESTED_ADDRESS: self.offered.packed}
            return self._broadcast(message(MessageKind.REQUEST, self.mac, xid=self.xid, options=options))
        self.xid, self.asking = self.xid + 1, None
        return self._broadcast(message(MessageKind.DISCOVER, self.mac, xid=self.xid))

    def _broadcast(self, data: bytes) -> tuple[bytes, Arrival]:
        return data, Arrival("br0", SERVER, NOWHERE, EVERYBODY)

    def hears(self, reply: Packet) -> None:
        """A reply arrives; what does not fit is ignored."""
        if reply.xid != self.xid:
            return
        kind = kind_of(reply)
        if kind is MessageKind.OFFER and self.asking is None:
            self.offered = reply.yiaddr
        elif kind is MessageKind.NAK and self.asking is not None:
            self.offered, self.asking, self.held = None, None, NOWHERE
        elif kind is MessageKind.ACK and self.asking == reply.yiaddr:
            seconds = int.from_bytes(reply.options[Code.LEASE_TIME], "big")
            self.held, self.until, self.offered = reply.yiaddr, self.asked_at + seconds, None

    def gives_up(self) -> None:
        """As firmware does after a few tries: from the beginning."""
        self.offered, self.asking = None, None


@dataclass
class Network:
    """Packets on their way, to the server and back."""

    book: Playbook = field(default_factory=lambda: Playbook(FULL))
    clients: list[Client] = field(default_factory=list)
    up: list[tuple[bytes, Arrival]] = field(default_factory=list)
    down: list[Packet] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clients = [Client(f"52:54:00:00:00:{number:02x}", xid=number << 16) for number in range(1, CLIENTS + 1)]

    def speak(self, which: int) -> None:
        """A client sends."""
        self.up.append(self.clients[which % CLIENTS].speaks(self.book.now))

    def carry(self, which: int) -> None:
        """One packet arrives, not always the oldest; replies set out."""
        on_the_way = len(self.up) + len(self.down)
        if not on_the_way:
            return
        at = which % on_the_way
        if at < len(self.up):
            self.down += self.book.receive(*self.up.pop(at))
        else:
            self._arrives(self.down.pop(at - len(self.up)))

    def _arrives(self, reply: Packet) -> None:
        for client in self.clients:
            if reply.chaddr.hex(":") == client.mac:
                client.hears(reply)

    def talk(self, which: int) -> None:
        """A client and the server say all that they have to, while the network happens to be well."""
        for _ in range(2):
            self.speak(which)
            while self.up or self.down:
                self.carry(0)

    def lose(self, which: int) -> None:
        """One packet is gone."""
        way = self.up if which % 2 else self.down
        if way:
            del way[which // 2 % len(way)]

    def double(self, which: int) -> None:
        """One packet arrives twice, sooner or later."""
        if self.up and which % 2:
            self.up.append(self.up[which // 2 % len(self.up)])
        elif self.down:
            self.down.append(self.down[which // 2 % len(self.down)])

    def wait(self, which: int) -> None:
        """Time passes; offers and leases end meanwhile."""
        self.book.pass_time((1.0, 5.0, 40.0, LEASE / 2, LEASE)[which % 5])

    def give_up(self, which: int) -> None:
        """A client begins anew."""
        self.clients[which % CLIENTS].gives_up()

    def die(self, which: int) -> None:
        """The appliance loses power, and what it had not written."""
        self.book.kill_and_restart()

    def stick(self, which: int) -> None:
        """The disk hangs, or answers again."""
        self.book.stuck = not self.book.stuck
        if not self.book.stuck:
            self.down += self.book.disk_recovers()

    def check(self) -> None:
        """Nobody believes in an address that another one believes in."""
        held = [client.held for client in self.clients if client.bound(self.book.now)]
        assert len(held) == len(set(held)), self.clients


HAPPENINGS = (
    "talk",
    "talk",
    "speak",
    "speak",
    "speak",
    "carry",
    "carry",
    "carry",
    "carry",
    "lose",
    "double",
    "wait",
    "give_up",
)
TROUBLE = ("die", "stick")
HAPPENS = st.tuples(st.sampled_from((*HAPPENINGS, *TROUBLE)), st.integers(0, 40))


@settings(max_examples=150, deadline=None)
@given(st.lists(HAPPENS, min_size=10, max_size=STEPS))
def test_no_two_clients_ever_have_one_address_and_all_end_bound(story: list[tuple[str, int]]) -> None:
    network = Network()
    for what, which in story:
        getattr(network, what)(which)
        network.check()
    event(f"{sum(client.bound(network.book.now) for client in network.clients)} bound in the storm")
    network.book.stuck = False
    network.down += network.book.disk_recovers()
    for _ in range(ROUNDS):
        for number in range(CLIENTS):
            network.speak(number)
        while network.up or network.down:
            network.carry(0)
        network.check()
    assert all(client.bound(network.book.now) for client in network.clients), network.clients


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=200, max_size=200), st.floats(0.0, 0.5))
def test_with_half_of_all_packets_lost_everybody_is_bound_in_the_end(luck: list[float], loss: float) -> None:
    network, fates = Network(), iter(luck)
    for _ in range(30):
        for number, client in enumerate(network.clients):
            if not client.bound(network.book.now):
                network.speak(number)
            while network.up or network.down:
                (network.lose if next(fates, 1.0) < loss else network.carry)(0 if network.up else 1)
                network.check()
        network.book.pass_time(4.0)
    assert all(client.bound(network.book.now) for client in network.clients), network.clients


def test_a_reply_that_comes_late_is_not_taken_for_another() -> None:
    """The ACK of an old lease arrives after the client has begun anew: xid tells."""
    network = Network()
    network.speak(0)
    network.carry(0)
    (offer,) = network.down
    network.clients[0].gives_up()
    network.speak(0)
    network.carry(1)
    assert network.clients[0].offered is None
    assert offer.xid != network.clients[0].xid
