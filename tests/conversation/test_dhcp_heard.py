"""What the DHCP server tells of those it hears: of clients it does not serve, its offers, and other servers."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from dhcp_playbook import MAC, OTHER_MAC, SERVER, SUBNET, Playbook, address, kind_of, message

from appliance.lease import LeaseState
from appliance.netboot.dhcp.facts import (
    DhcpSeen,
    ForeignReply,
    LeaseEnded,
    LeaseGranted,
    NoAddress,
    Offered,
    PoolExhausted,
    Unserved,
)
from appliance.netboot.dhcp.options import Code, MessageKind
from appliance.netboot.dhcp.packet import BOOTREPLY, Packet, encode
from appliance.netboot.dhcp.request import PROBE_MARK
from appliance.netboot.dhcp.subnet import AddressRange

OTHER = IPv4Address("10.77.0.9")


@pytest.fixture
def play() -> Playbook:
    return Playbook()


def of(play: Playbook, kind: type) -> list:
    return [fact for fact in play.facts if isinstance(fact, kind)]


def reply(server: IPv4Address | None) -> bytes:
    named = {} if server is None else {Code.SERVER_ID: server.packed}
    options = {Code.MESSAGE_TYPE: bytes([MessageKind.OFFER]), **named}
    return encode(Packet(op=BOOTREPLY, xid=1, chaddr=bytes(6), options=options), limit=1472)


def test_a_client_is_heard_with_what_it_says_of_itself(play: Playbook) -> None:
    said = {Code.VENDOR_CLASS: b"MSFT 5.0\0\x1b", Code.USER_CLASS: b"\x04iPXE", Code.HOST_NAME: b"Lap_top.example"}
    play.discover(options=said)
    (seen,) = of(play, DhcpSeen)
    assert (seen.vendor_class, seen.user_class, seen.hostname) == ("MSFT 5.0", "iPXE", "lap-top")
    assert (seen.chosen, seen.holds) == (None, None)


def test_an_offer_is_told(play: Playbook) -> None:
    play.discover()
    assert [(fact.mac, fact.address) for fact in of(play, Offered)] == [(MAC, address(50))]


def test_a_client_that_takes_another_servers_offer_names_it(play: Playbook) -> None:
    (offer,) = play.discover()
    assert play.select(offer.yiaddr, server=OTHER) == []
    assert of(play, DhcpSeen)[-1].chosen == OTHER
    play.select(offer.yiaddr)
    assert of(play, DhcpSeen)[-1].chosen is None


def test_who_is_not_served_is_heard_all_the_same() -> None:
    play = Playbook(replace(SUBNET, mode="reservations"))
    assert play.discover() == []
    (unserved,) = play.facts
    assert isinstance(unserved, Unserved)
    assert unserved.seen.mac == MAC


def test_every_client_that_gets_no_address_is_told() -> None:
    play = Playbook(replace(SUBNET, ranges=(AddressRange(address(50), address(50)),)))
    play.obtain()
    for _ in range(3):
        play.discover(OTHER_MAC)
    assert [fact.mac for fact in of(play, NoAddress)] == [OTHER_MAC] * 3


def test_a_probe_is_answered_and_no_news(play: Playbook) -> None:
    play.configure(ranges=(AddressRange(address(50), address(50)),))
    mark = {Code.PROBE: PROBE_MARK}
    (offer,) = play.discover(options=mark)
    assert (offer.yiaddr, play.facts) == (address(50), [])
    assert play.discover(OTHER_MAC, options=mark) == []
    assert {type(fact) for fact in play.facts} == {PoolExhausted}, "that concerns everybody"
    play.select(offer.yiaddr, options=mark)
    assert of(play, LeaseGranted), "who takes an address is somebody"
    assert of(play, DhcpSeen)


def test_a_probe_that_is_not_served_is_no_news_either() -> None:
    play = Playbook(replace(SUBNET, mode="reservations"))
    assert (play.discover(options={Code.PROBE: PROBE_MARK}), play.facts) == ([], [])


def test_a_reply_of_another_server_is_told_and_never_answered(play: Playbook) -> None:
    assert play.receive(reply(OTHER)) == []
    assert [(fact.server, fact.interface) for fact in of(play, ForeignReply)] == [(OTHER, "br0")]


@pytest.mark.parametrize("data", [reply(SERVER), b"\x02", b"\x02" + bytes(300)])
def test_our_own_reply_and_garbage_are_no_other_server(play: Playbook, data: bytes) -> None:
    assert play.receive(data) == []
    assert of(play, ForeignReply) == []


class TestForgetting:
    def forget(self, play: Playbook, which: IPv4Address) -> list:
        before = len(play.facts)
        play._collect(play.responder.forget("br0", which, play.now))
        return play.facts[before:]

    def test_the_address_is_free_and_the_disk_told(self, play: Playbook) -> None:
        held = play.obtain()
        (ended,) = self.forget(play, held)
        assert isinstance(ended, LeaseEnded)
        assert ended.reason == "forgotten"
        assert play.disk[held].state is LeaseState.FORGOTTEN
        assert play.responder.holder(held) is None
        (other,) = play.discover(OTHER_MAC, options={Code.REQUESTED_ADDRESS: held.packed})
        assert other.yiaddr == held

    def test_its_holder_renews_it_while_nobody_else_has_it(self, play: Playbook) -> None:
        held = play.obtain()
        self.forget(play, held)
        (answer,) = play.renew(held)
        assert kind_of(answer) is MessageKind.ACK

    def test_its_holder_is_refused_once_another_has_it(self, play: Playbook) -> None:
        held = play.obtain()
        self.forget(play, held)
        play.select(held, OTHER_MAC)
        (answer,) = play.renew(held)
        assert kind_of(answer) is MessageKind.NAK

    def test_an_acknowledgement_that_waits_for_the_disk_never_leaves(self, play: Playbook) -> None:
        play.stuck = True
        (offer,) = play.discover()
        play.select(offer.yiaddr)
        self.forget(play, offer.yiaddr)
        assert play.disk_recovers() == []

    def test_what_nobody_has_and_elsewhere_is_nothing(self, play: Playbook) -> None:
        assert self.forget(play, address(55)) == []
        assert play.responder.forget("br9", address(50), play.now) == []

    def test_a_message_of_a_client_is_answered_as_ever(self, play: Playbook) -> None:
        assert kind_of(play.receive(message(MessageKind.DISCOVER))[0]) is MessageKind.OFFER
