"""Addresses that are kept for a board or for a relay's port, and clients that are known by their own identifier."""

from dataclasses import replace
from ipaddress import IPv4Address
from uuid import UUID

import pytest
from dhcp_playbook import (
    EVERYBODY,
    LEASE,
    MAC,
    OTHER_MAC,
    SERVER,
    SUBNET,
    Playbook,
    address,
    encapsulated,
    kind_of,
    message,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from test_dhcp_relays import CIRCUIT, DISCOVER, RELAY, REMOTE, REMOTE_ID, macs, take

from appliance.lease import Reservation, parse_relay_port, relay_port
from appliance.netboot.dhcp.options import Code, MessageKind
from appliance.netboot.dhcp.packet import NOWHERE, Packet, decode
from appliance.netboot.dhcp.request import Arrival
from appliance.netboot.dhcp.subnet import AddressRange, IdentifyBy

BOARD = UUID("4c4c4544-0042-3510-8052-b4c04f4e3432")
SAYS_BOARD = {Code.CLIENT_UUID: b"\0" + BOARD.bytes_le}
OTHER_BOARD = {Code.CLIENT_UUID: b"\0" + UUID(int=7).bytes_le}
KEPT = IPv4Address("10.77.0.9")
FAR_KEPT = IPv4Address("10.78.0.60")
REQUEST = MessageKind.REQUEST


def boots(play: Playbook, mac: str, options: dict[int, bytes]) -> Packet:
    """DISCOVER and REQUEST of firmware that says who it is; the answer to the last."""
    (offer,) = play.discover(mac, options=options)
    (ack,) = play.select(offer.yiaddr, mac, options=options)
    assert kind_of(ack) is MessageKind.ACK
    return ack


class TestOfABoard:
    @pytest.fixture
    def play(self) -> Playbook:
        return Playbook(reservations=(Reservation(f"uuid:{BOARD}", KEPT),))

    def test_it_gets_its_address_whatever_card_is_in_it(self, play: Playbook) -> None:
        assert boots(play, MAC, SAYS_BOARD).yiaddr == KEPT
        play.release(KEPT)
        assert boots(play, OTHER_MAC, SAYS_BOARD).yiaddr == KEPT

    def test_its_system_keeps_it_although_that_says_no_uuid(self, play: Playbook) -> None:
        boots(play, MAC, SAYS_BOARD)
        assert play.obtain() == KEPT
        assert kind_of(play.renew(KEPT)[0]) is MessageKind.ACK
        assert kind_of(play.reboot(KEPT)[0]) is MessageKind.ACK

    def test_its_system_keeps_it_after_kill_and_restart(self, play: Playbook) -> None:
        boots(play, MAC, SAYS_BOARD)
        play.kill_and_restart()
        assert kind_of(play.renew(KEPT)[0]) is MessageKind.ACK
        play.release(KEPT)
        play.kill_and_restart()
        assert play.obtain() == KEPT

    def test_nobody_else_gets_it(self, play: Playbook) -> None:
        assert boots(play, MAC, OTHER_BOARD).yiaddr != KEPT
        assert kind_of(play.select(KEPT, OTHER_MAC)[0]) is MessageKind.NAK

    def test_two_boards_with_one_uuid_never_share_it(self, play: Playbook) -> None:
        boots(play, MAC, SAYS_BOARD)
        assert boots(play, OTHER_MAC, SAYS_BOARD).yiaddr != KEPT
        assert kind_of(play.renew(KEPT)[0]) is MessageKind.ACK

    def test_another_card_of_it_takes_over_once_the_lease_has_ended(self, play: Playbook) -> None:
        boots(play, MAC, SAYS_BOARD)
        play.pass_time(2 * LEASE + 1)
        assert boots(play, OTHER_MAC, SAYS_BOARD).yiaddr == KEPT
        assert play.obtain(MAC) != KEPT

    def test_a_card_that_moved_to_another_board_gives_it_up(self, play: Playbook) -> None:
        boots(play, MAC, SAYS_BOARD)
        assert boots(play, MAC, OTHER_BOARD).yiaddr != KEPT

    def test_the_address_of_a_card_goes_before_that_of_its_board(self, play: Playbook) -> None:
        play.responder.set_reservations([Reservation(f"uuid:{BOARD}", KEPT), Reservation(MAC, address(55))])
        assert boots(play, MAC, SAYS_BOARD).yiaddr == address(55)

    def test_a_flood_of_cards_never_eats_it(self, play: Playbook) -> None:
        for mac in macs(500):
            play.discover(mac, options={Code.REQUESTED_ADDRESS: KEPT.packed})
        assert boots(play, MAC, SAYS_BOARD).yiaddr == KEPT

    def test_where_only_reserved_addresses_are_served_it_is_served(self, play: Playbook) -> None:
        play.configure(mode="reservations")
        assert boots(play, MAC, SAYS_BOARD).yiaddr == KEPT
        assert play.discover(OTHER_MAC) == []
        assert play.obtain() == KEPT

    def test_it_goes_on_with_the_address_that_it_has_when_that_is_reserved_for_it(self, play: Playbook) -> None:
        play.responder.set_reservations([])
        held = boots(play, MAC, SAYS_BOARD).yiaddr
        play.responder.set_reservations([Reservation(f"uuid:{BOARD}", held)])
        assert kind_of(play.renew(held)[0]) is MessageKind.ACK

    def test_it_returns_to_all_when_it_is_given_up(self, play: Playbook) -> None:
        boots(play, MAC, SAYS_BOARD)
        play.responder.set_reservations([])
        assert kind_of(play.renew(KEPT)[0]) is MessageKind.NAK


class TestOfAPort:
    INFORMATION = {CIRCUIT: b"eth3", REMOTE_ID: b"\x00\x1b\x21\xaa\xbb\xcc"}  # noqa: RUF012 - a constant

    @pytest.fixture
    def play(self) -> Playbook:
        return Playbook(others=(REMOTE,), reservations=(Reservation("port:10.78.0.1/eth3", FAR_KEPT),))

    def test_whatever_is_plugged_in_there_gets_it(self, play: Playbook) -> None:
        (ack,) = take(play, RELAY, information=self.INFORMATION)
        assert ack.yiaddr == FAR_KEPT
        play.receive(
            message(MessageKind.RELEASE, ciaddr=FAR_KEPT, options={Code.SERVER_ID: SERVER.packed}),
            Arrival("br0", SERVER, FAR_KEPT, SERVER),
        )
        (ack,) = take(play, RELAY, OTHER_MAC, information=self.INFORMATION)
        assert ack.yiaddr == FAR_KEPT

    def test_the_relay_may_go_by_its_remote_id(self, play: Playbook) -> None:
        play.responder.set_reservations([Reservation("port:0x001b21aabbcc/eth3", FAR_KEPT)])
        (ack,) = take(play, RELAY, information=self.INFORMATION)
        assert ack.yiaddr == FAR_KEPT

    def test_two_behind_it_never_share(self, play: Playbook) -> None:
        take(play, RELAY, information=self.INFORMATION)
        (ack,) = take(play, RELAY, OTHER_MAC, information=self.INFORMATION)
        assert ack.yiaddr != FAR_KEPT

    def test_it_renews_by_unicast_where_no_relay_tells_its_port(self, play: Playbook) -> None:
        take(play, RELAY, information=self.INFORMATION)
        renew = message(REQUEST, ciaddr=FAR_KEPT)
        (ack,) = play.receive(renew, Arrival("br0", SERVER, FAR_KEPT, SERVER))
        assert kind_of(ack) is MessageKind.ACK

    def test_who_moves_to_another_port_leaves_it_behind(self, play: Playbook) -> None:
        take(play, RELAY, information=self.INFORMATION)
        (ack,) = take(play, RELAY, information={CIRCUIT: b"eth4"})
        assert ack.yiaddr != FAR_KEPT
        (ack,) = take(play, RELAY, OTHER_MAC, information=self.INFORMATION)
        assert ack.yiaddr == FAR_KEPT

    def test_floods_on_other_ports_never_eat_it(self, play: Playbook) -> None:
        for mac in macs(500):
            wants = {Code.REQUESTED_ADDRESS: FAR_KEPT.packed}
            play.relayed(DISCOVER, RELAY, mac, options=wants, information={CIRCUIT: b"eth9"})
        (ack,) = take(play, RELAY, information=self.INFORMATION)
        assert ack.yiaddr == FAR_KEPT

    def test_a_full_port_has_its_reserved_address_all_the_same(self) -> None:
        kept = (Reservation(MAC, FAR_KEPT),)
        play = Playbook(others=(replace(REMOTE, leases_per_port=1),), reservations=kept)
        take(play, RELAY, OTHER_MAC, information=self.INFORMATION)
        (ack,) = take(play, RELAY, MAC, information=self.INFORMATION)
        assert ack.yiaddr == FAR_KEPT


@pytest.mark.parametrize(
    ("relay", "circuit", "text"),
    [
        (b"10.78.0.1", b"eth3", "10.78.0.1/eth3"),
        (b"10.78.0.1", b"Gi1/0/3", "10.78.0.1/Gi1/0/3"),
        (b"sw/1", b"0xyz", "0x73772f31/0x3078797a"),
        (b"\x00\x1b", b"eth 1:100", "0x001b/eth 1:100"),
        (b"a", b" eth3", "a/0x2065746833"),
    ],
)
def test_ports_are_written_so_that_they_are_read_again(relay: bytes, circuit: bytes, text: str) -> None:
    assert relay_port(relay, circuit) == text
    assert parse_relay_port(text) == text
    assert parse_relay_port(f"0x{relay.hex()}/0x{circuit.hex()}") == text


@pytest.mark.parametrize("text", ["", "eth3", "/eth3", "10.78.0.1/", "0xzz/eth3", "a/0x", "ä/b", "a/" + "b" * 300])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"RELAY/CIRCUIT|hexadecimal|octets|letters"):
        parse_relay_port(text)


class TestByClientIdentifier:
    """Where a subnet is told to: two identifiers on one card are two clients (RFC 2131 section 4.2)."""

    FIRST, SECOND = b"\x00first", b"\x00second"

    @pytest.fixture
    def play(self) -> Playbook:
        return Playbook(subnet=replace(SUBNET, identify_by="client-id"))

    def obtain(self, play: Playbook, identifier: bytes, mac: str = MAC) -> IPv4Address:
        return boots(play, mac, {Code.CLIENT_ID: identifier}).yiaddr

    def test_two_identifiers_on_one_card_get_two_addresses(self, play: Playbook) -> None:
        assert self.obtain(play, self.FIRST) != self.obtain(play, self.SECOND)

    def test_one_identifier_on_two_cards_gets_one_address(self, play: Playbook) -> None:
        assert self.obtain(play, self.FIRST) == self.obtain(play, self.FIRST, OTHER_MAC)

    def test_without_an_identifier_the_card_counts(self, play: Playbook) -> None:
        assert play.obtain() == play.obtain()
        assert play.obtain() != self.obtain(play, self.FIRST)

    def test_leases_are_known_again_after_kill_and_restart(self, play: Playbook) -> None:
        first, second = self.obtain(play, self.FIRST), self.obtain(play, self.SECOND)
        play.kill_and_restart()
        assert (self.obtain(play, self.FIRST), self.obtain(play, self.SECOND)) == (first, second)

    def test_each_lease_ends_and_renews_by_itself(self, play: Playbook) -> None:
        first, second = self.obtain(play, self.FIRST), self.obtain(play, self.SECOND)
        play.pass_time(LEASE / 2)
        renew = message(REQUEST, ciaddr=second, options={Code.CLIENT_ID: self.SECOND})
        (ack,) = play.receive(renew, Arrival("br0", SERVER, second, SERVER))
        assert kind_of(ack) is MessageKind.ACK
        play.pass_time(0.75 * LEASE)
        states = {each.address: each.state for each in play.disk.values()}
        assert (states[first], states[second]) == ("released", "bound")

    def test_an_address_that_is_kept_for_the_card_is_all_its_identifiers(self, play: Playbook) -> None:
        play.responder.set_reservations([Reservation(MAC, KEPT)])
        assert self.obtain(play, self.FIRST) == KEPT
        assert self.obtain(play, self.SECOND) == KEPT

    def test_a_reservation_made_meanwhile_moves_who_runs_when_it_renews(self, play: Playbook) -> None:
        held = self.obtain(play, self.FIRST)
        play.responder.set_reservations([Reservation(MAC, KEPT)])
        renew = message(REQUEST, ciaddr=held, options={Code.CLIENT_ID: self.FIRST})
        (nak,) = play.receive(renew, Arrival("br0", SERVER, held, EVERYBODY))
        assert kind_of(nak) is MessageKind.NAK
        assert self.obtain(play, self.FIRST) == KEPT


RESERVATIONS = (
    Reservation(f"uuid:{BOARD}", address(50)),
    Reservation("port:10.77.0.250/a", address(51)),
    Reservation(MAC, address(52)),
)
MACS = [MAC, OTHER_MAC, "52:54:00:00:00:03", "52:54:00:00:00:04"]
told = st.fixed_dictionaries(
    {},
    optional={
        Code.CLIENT_UUID: st.sampled_from([SAYS_BOARD[Code.CLIENT_UUID], OTHER_BOARD[Code.CLIENT_UUID]]),
        Code.RELAY_AGENT: st.sampled_from([encapsulated({CIRCUIT: b"a"}), encapsulated({CIRCUIT: b"b"})]),
        Code.REQUESTED_ADDRESS: st.sampled_from([address(last).packed for last in (50, 51, 52, 53)]),
        Code.SERVER_ID: st.just(SERVER.packed),
        Code.CLIENT_ID: st.sampled_from([b"\x00first", b"\x00second"]),
    },
)
messages = st.builds(
    message,
    st.sampled_from([MessageKind.DISCOVER, REQUEST, REQUEST, MessageKind.RELEASE, MessageKind.DECLINE]),
    st.sampled_from(MACS),
    ciaddr=st.sampled_from([NOWHERE, NOWHERE, *map(address, (50, 51, 52, 53))]),
    giaddr=st.sampled_from([NOWHERE, address(250)]),
    options=told,
)
steps = st.lists(messages | st.sets(st.sampled_from(RESERVATIONS)) | st.sampled_from(["kill", "wait"]), max_size=40)


@pytest.mark.parametrize("identify_by", ["mac", "client-id"])
@settings(max_examples=100, deadline=None)
@given(script=steps)
def test_no_address_is_ever_two_cards_whoever_they_say_they_are(
    identify_by: IdentifyBy, script: list[bytes | set[Reservation] | str]
) -> None:
    """Boards, ports and cards that swap, reservations that come and go, kill -9: promises never overlap."""
    subnet = replace(SUBNET, identify_by=identify_by, ranges=(AddressRange(address(50), address(53)),))
    play = Playbook(subnet=subnet, reservations=RESERVATIONS)
    promised: Promised = {}
    for step in script:
        for ack in _taken(play, step):
            seconds = int.from_bytes(ack.options.get(Code.LEASE_TIME, b""), "big")
            if kind_of(ack) is not MessageKind.ACK or not seconds:
                continue
            said = _said(ack, identify_by)
            known, until = promised.get(ack.yiaddr, (said, 0.0))
            assert known & said or until <= play.now, "two hold one address"
            promised = _without(promised, said)  # who takes another address in a subnet has given the first one up
            promised[ack.yiaddr] = (known | said if until > play.now else said, play.now + seconds)
        if isinstance(step, bytes) and step[242] in (MessageKind.RELEASE, MessageKind.DECLINE):
            promised = _without(promised, _said(decode(step), identify_by))


Promised = dict[IPv4Address, tuple[set[bytes], float]]
"""By address: who was promised it, by all that makes them the same client, and until when."""


def _without(promised: Promised, gone: set[bytes]) -> Promised:
    return {ip: (known, until) for ip, (known, until) in promised.items() if not known & gone}


def _said(packet: Packet, identify_by: IdentifyBy) -> set[bytes]:
    """By what the sender is the same client: its card, and where that counts its identifier."""
    identifier = packet.options.get(Code.CLIENT_ID) if identify_by == "client-id" else None
    return {packet.chaddr, identifier} if identifier else {packet.chaddr}


def _taken(play: Playbook, step: bytes | set[Reservation] | str) -> list[Packet]:
    match step:
        case bytes():
            return play.receive(step)
        case "kill":
            play.kill_and_restart()
        case "wait":
            play.pass_time(LEASE * 0.4)
        case set():
            play.reservations = tuple(step)
            play.responder.set_reservations(play.reservations)
    return []
