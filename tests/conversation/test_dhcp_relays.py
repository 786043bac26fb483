"""Several subnets at once, behind relays: which subnet, where the answer goes, and how much of it one port gets."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import ClassVar

import pytest
from dhcp_playbook import EVERYBODY, LEASE, MAC, OTHER_MAC, SERVER, SUBNET, Playbook, encapsulated, kind_of, message

from appliance.netboot.dhcp.facts import BadPacket, DhcpSeen, LeaseGranted, NoAddress
from appliance.netboot.dhcp.offers import PER_PORT
from appliance.netboot.dhcp.options import Code, MessageKind
from appliance.netboot.dhcp.packet import DEFAULT_REPLY, NOWHERE, Packet
from appliance.netboot.dhcp.request import Arrival
from appliance.netboot.dhcp.subnet import AddressRange, Subnet

RELAY = IPv4Address("10.78.0.1")
FAR_RELAY = IPv4Address("10.79.0.1")
REMOTE = Subnet(
    interface="10.78.0.0/24",
    address=IPv4Interface("10.77.0.1/24"),
    remote=IPv4Network("10.78.0.0/24"),
    through="br0",
    relays=(RELAY, IPv4Address("192.0.2.9")),
    ranges=(AddressRange(IPv4Address("10.78.0.50"), IPv4Address("10.78.0.99")),),
    lease_seconds=LEASE,
    gateway=RELAY,
    dns=(SERVER,),
)
FAR = replace(
    REMOTE,
    interface="10.79.0.0/24",
    remote=IPv4Network("10.79.0.0/24"),
    relays=(FAR_RELAY,),
    ranges=(AddressRange(IPv4Address("10.79.0.50"), IPv4Address("10.79.0.99")),),
    gateway=FAR_RELAY,
)
DISCOVER, REQUEST, INFORM = MessageKind.DISCOVER, MessageKind.REQUEST, MessageKind.INFORM
DECLINE, RELEASE = MessageKind.DECLINE, MessageKind.RELEASE
CIRCUIT, REMOTE_ID, LINK, OVERRIDE = 1, 2, 5, 11


@pytest.fixture
def play() -> Playbook:
    return Playbook(others=(REMOTE, FAR))


def take(play: Playbook, relay: IPv4Address, mac: str = MAC, **more: object) -> list[Packet]:
    """DISCOVER, OFFER, REQUEST; the answers to the last one."""
    (offer,) = play.relayed(DISCOVER, relay, mac, **more)
    server = offer.options[Code.SERVER_ID]
    chosen = {Code.SERVER_ID: server, Code.REQUESTED_ADDRESS: offer.yiaddr.packed}
    return play.relayed(REQUEST, relay, mac, options=chosen, **more)


def macs(count: int) -> list[str]:
    return [f"52:54:00:01:{number >> 8:02x}:{number & 255:02x}" for number in range(count)]


class TestWhichSubnet:
    def test_the_relays_address_selects_it_and_all_subnets_are_served_at_once(self, play: Playbook) -> None:
        assert play.obtain() == IPv4Address("10.77.0.50")
        (ack,) = take(play, RELAY, OTHER_MAC)
        assert (ack.yiaddr, kind_of(ack)) == (IPv4Address("10.78.0.50"), MessageKind.ACK)
        assert ack.options[Code.SUBNET_MASK] == bytes([255, 255, 255, 0])
        assert ack.options[Code.ROUTER] == RELAY.packed
        assert ack.options[Code.SERVER_ID] == SERVER.packed
        (ack,) = take(play, FAR_RELAY, "52:54:00:00:00:03")
        assert ack.yiaddr == IPv4Address("10.79.0.50")

    def test_one_card_has_an_address_in_each_subnet_that_it_was_in(self, play: Playbook) -> None:
        play.obtain()
        (ack,) = take(play, RELAY)
        assert ack.yiaddr in IPv4Network("10.78.0.0/24")
        assert play.obtain() == IPv4Address("10.77.0.50")

    def test_link_selection_goes_before_the_relays_own_address(self, play: Playbook) -> None:
        """RFC 3527: the relay is reached elsewhere, and says which link the client is on."""
        relay = IPv4Address("192.0.2.9")
        (offer,) = play.relayed(DISCOVER, relay, information={LINK: RELAY.packed})
        assert offer.yiaddr == IPv4Address("10.78.0.50")
        assert play.sent[-1].destination.address == relay

    def test_a_relay_that_is_not_the_subnets_is_no_relay_of_it(self, play: Playbook) -> None:
        assert play.relayed(DISCOVER, IPv4Address("10.78.0.66")) == []
        assert play.relayed(DISCOVER, FAR_RELAY, information={LINK: RELAY.packed}) == []
        (fact,) = [fact for fact in play.facts if isinstance(fact, BadPacket)]
        assert fact.reason == "10.78.0.66 is none of the relays of 10.78.0.0/24"

    def test_what_is_seen_and_leased_is_told_of_the_subnet(self, play: Playbook) -> None:
        take(play, RELAY, information={CIRCUIT: b"eth3"})
        (seen, *_) = [fact for fact in play.facts if isinstance(fact, DhcpSeen)]
        (granted,) = [fact for fact in play.facts if isinstance(fact, LeaseGranted)]
        assert (seen.interface, seen.relay) == ("10.78.0.0/24", RELAY)
        assert (granted.lease.interface, granted.lease.port) == ("10.78.0.0/24", "10.78.0.1/eth3")

    def test_the_port_of_a_lease_is_the_one_that_it_came_through_last(self, play: Playbook) -> None:
        (first,) = take(play, RELAY, information={CIRCUIT: b"eth3"})
        (second,) = take(play, RELAY, information={CIRCUIT: b"eth4"})
        assert first.yiaddr == second.yiaddr
        assert play.disk[second.yiaddr].port == "10.78.0.1/eth4"

    def test_leases_of_every_subnet_survive_kill_and_restart(self, play: Playbook) -> None:
        play.obtain()
        take(play, RELAY, OTHER_MAC)
        play.kill_and_restart()
        (offer,) = play.relayed(DISCOVER, RELAY, "52:54:00:00:00:09")
        assert offer.yiaddr == IPv4Address("10.78.0.51")


class TestWhereAnswersGo:
    def test_to_the_relay_on_the_server_port_from_where_it_came(self, play: Playbook) -> None:
        play.relayed(DISCOVER, RELAY)
        target = play.sent[-1].destination
        assert (target.interface, target.address, target.port, target.mac) == ("br0", RELAY, 67, None)

    def test_a_refusal_goes_there_too_and_asks_for_a_broadcast(self, play: Playbook) -> None:
        """RFC 2131 section 4.3.2: the client's address is wrong, the relay cannot reach it there."""
        wrong = {Code.REQUESTED_ADDRESS: IPv4Address("192.168.1.1").packed}
        (nak,) = play.relayed(REQUEST, RELAY, options=wrong)
        assert kind_of(nak) is MessageKind.NAK
        assert nak.broadcast
        assert play.sent[-1].destination.address == RELAY

    def test_option_82_is_echoed_as_it_came_and_last(self, play: Playbook) -> None:
        information = {CIRCUIT: b"\x00\x04\x00\x01", REMOTE_ID: b"switch", 9: b"\0\0\1", LINK: RELAY.packed}
        (offer,) = play.relayed(DISCOVER, RELAY, information=information)
        assert offer.options[Code.RELAY_AGENT] == encapsulated(information)
        assert list(offer.options)[-1] == Code.RELAY_AGENT
        data = play.sent[-1].data
        end = data.rindex(encapsulated(information)) + len(encapsulated(information))
        assert data[end] == 255

    @pytest.mark.parametrize("size", [1, 100, 200, 251])
    def test_option_82_is_echoed_however_long_it_is(self, play: Playbook, size: int) -> None:
        information = {CIRCUIT: b"x" * size}
        options = {Code.VENDOR_CLASS: b"PXEClient:Arch:00000:UNDI:002001", Code.ARCHITECTURE: b"\0\0"}
        (offer,) = play.relayed(DISCOVER, RELAY, information=information, options=options)
        assert offer.options[Code.RELAY_AGENT] == encapsulated(information)
        assert offer.file == b"undionly.kpxe"
        needed = {Code.MESSAGE_TYPE, Code.SERVER_ID, Code.LEASE_TIME, Code.SUBNET_MASK, Code.ROUTER}
        assert needed <= set(offer.options)
        assert len(play.sent[-1].data) <= DEFAULT_REPLY

    def test_the_relays_choice_is_the_server_identifier_and_answered_to(self, play: Playbook) -> None:
        """RFC 5107: clients renew at the relay, which passes it on."""
        override = {OVERRIDE: RELAY.packed}
        (ack,) = take(play, RELAY, information=override)
        assert ack.options[Code.SERVER_ID] == RELAY.packed
        (ack,) = play.relayed(REQUEST, RELAY, ciaddr=ack.yiaddr, information=override)
        assert (kind_of(ack), ack.options[Code.SERVER_ID]) == (MessageKind.ACK, RELAY.packed)
        freed = {Code.SERVER_ID: RELAY.packed}
        play.relayed(RELEASE, RELAY, ciaddr=ack.yiaddr, options=freed, information=override)
        assert play.disk[ack.yiaddr].state == "released"

    def test_a_client_renews_and_releases_by_unicast_from_its_own_network(self, play: Playbook) -> None:
        (ack,) = take(play, RELAY)
        arrival = Arrival("br0", SERVER, ack.yiaddr, SERVER)
        (renewed,) = play.receive(message(REQUEST, ciaddr=ack.yiaddr), arrival)
        assert (kind_of(renewed), renewed.yiaddr) == (MessageKind.ACK, ack.yiaddr)
        target = play.sent[-1].destination
        assert (target.address, target.port, target.mac) == (ack.yiaddr, 68, None)
        freed = {Code.SERVER_ID: SERVER.packed}
        play.receive(message(RELEASE, ciaddr=ack.yiaddr, options=freed), arrival)
        assert play.disk[ack.yiaddr].state == "released"

    def test_a_client_asks_for_options_by_unicast(self, play: Playbook) -> None:
        uses = IPv4Address("10.78.0.7")
        (ack,) = play.receive(message(INFORM, ciaddr=uses), Arrival("br0", SERVER, uses, SERVER))
        assert ack.options[Code.ROUTER] == RELAY.packed
        assert play.sent[-1].destination.address == uses

    def test_a_client_finds_its_address_used_and_declines_through_the_relay(self, play: Playbook) -> None:
        (ack,) = take(play, RELAY)
        refused = {Code.SERVER_ID: SERVER.packed, Code.REQUESTED_ADDRESS: ack.yiaddr.packed}
        play.relayed(DECLINE, RELAY, options=refused)
        (offer,) = play.relayed(DISCOVER, RELAY)
        assert offer.yiaddr != ack.yiaddr

    def test_a_broadcast_of_a_client_that_moved_here_is_refused(self, play: Playbook) -> None:
        (ack,) = take(play, RELAY)
        (nak,) = play.receive(message(REQUEST, ciaddr=ack.yiaddr), Arrival("br0", SERVER, ack.yiaddr, EVERYBODY))
        assert kind_of(nak) is MessageKind.NAK


class TestBooting:
    PXE: ClassVar = {Code.VENDOR_CLASS: b"PXEClient:Arch:00007:UNDI:003016", Code.ARCHITECTURE: b"\x00\x07"}
    IPXE: ClassVar = {**PXE, Code.IPXE: b"\x13\x01\x01", Code.USER_CLASS: b"iPXE"}

    def test_boot_files_name_an_address_of_ours_that_the_relay_reaches(self, play: Playbook) -> None:
        (offer,) = play.relayed(DISCOVER, RELAY, options=self.PXE)
        assert (offer.siaddr, offer.file) == (SERVER, b"snponly.efi")
        (offer,) = play.relayed(DISCOVER, RELAY, options=self.IPXE)
        assert offer.options[Code.BOOT_FILE].startswith(b"http://10.77.0.1/boot/script?mac=52-54-00-00-00-01&")

    def test_through_another_interface_they_name_our_address_there(self, play: Playbook) -> None:
        data = message(DISCOVER, giaddr=RELAY, options=self.IPXE)
        (offer,) = play.receive(data, Arrival("br1", IPv4Address("10.80.0.1"), RELAY, IPv4Address("10.80.0.1")))
        assert offer.siaddr == IPv4Address("10.80.0.1")
        assert offer.options[Code.BOOT_FILE].startswith(b"http://10.80.0.1/boot/script?")
        assert offer.options[Code.SERVER_ID] == IPv4Address("10.80.0.1").packed


class TestShares:
    """A flood behind one port or relay is its neighbours' trouble only."""

    def test_a_flooded_port_never_eats_the_pool(self, play: Playbook) -> None:
        for mac in macs(1000):
            play.relayed(DISCOVER, RELAY, mac, information={CIRCUIT: b"flooded"})
        (ack,) = take(play, RELAY, information={CIRCUIT: b"eth1"})
        assert kind_of(ack) is MessageKind.ACK
        offered = {send.destination for send in play.sent}
        assert len(offered) == 1
        assert len(list(play.responder._services["10.78.0.0/24"].pool._offers.oldest_first())) <= PER_PORT

    def test_asking_for_one_address_after_the_other_does_not_help_a_flood(self, play: Playbook) -> None:
        for number, mac in enumerate(macs(50)):
            wanted = {Code.REQUESTED_ADDRESS: IPv4Address(f"10.78.0.{50 + number}").packed}
            play.relayed(DISCOVER, RELAY, mac, options=wanted, information={CIRCUIT: b"flooded"})
        free = play.relayed(DISCOVER, RELAY, options={Code.REQUESTED_ADDRESS: IPv4Address("10.78.0.50").packed})
        assert free[0].yiaddr == IPv4Address("10.78.0.50")

    def test_a_flooded_relay_leaves_half_the_pool_to_others(self, play: Playbook) -> None:
        other = IPv4Address("192.0.2.9")
        for mac in macs(200):
            play.relayed(DISCOVER, RELAY, mac)
        for mac in macs(240)[220:]:
            (offer,) = play.relayed(DISCOVER, other, mac, information={LINK: RELAY.packed})
            assert kind_of(offer) is MessageKind.OFFER

    def test_a_real_machine_on_the_flooded_port_takes_what_it_was_offered(self, play: Playbook) -> None:
        information = {CIRCUIT: b"flooded"}
        for mac in macs(100):
            play.relayed(DISCOVER, RELAY, mac, information=information)
        (offer,) = play.relayed(DISCOVER, RELAY, information=information)
        for mac in macs(300)[200:]:
            play.relayed(DISCOVER, RELAY, mac, information=information)
        chosen = {Code.SERVER_ID: SERVER.packed, Code.REQUESTED_ADDRESS: offer.yiaddr.packed}
        (ack,) = play.relayed(REQUEST, RELAY, options=chosen, information=information)
        assert kind_of(ack) is MessageKind.ACK

    def test_a_port_has_no_more_leases_than_it_may(self) -> None:
        play = Playbook(others=(replace(REMOTE, leases_per_port=2),))
        information = {CIRCUIT: b"eth1"}
        first, second, third = macs(3)
        held = [take(play, RELAY, mac, information=information)[0].yiaddr for mac in (first, second)]
        assert play.relayed(DISCOVER, RELAY, third, information=information) == []
        (told,) = [fact for fact in play.facts if isinstance(fact, NoAddress)]
        assert (told.mac, told.full_port) == (third, "10.78.0.1/eth1")
        chosen = {Code.SERVER_ID: SERVER.packed, Code.REQUESTED_ADDRESS: IPv4Address("10.78.0.90").packed}
        (nak,) = play.relayed(REQUEST, RELAY, third, options=chosen, information=information)
        assert kind_of(nak) is MessageKind.NAK
        (ack,) = play.relayed(REQUEST, RELAY, first, ciaddr=held[0], information=information)
        assert kind_of(ack) is MessageKind.ACK
        assert take(play, RELAY, third, information={CIRCUIT: b"eth2"})[0].yiaddr == IPv4Address("10.78.0.52")
        play.pass_time(2 * LEASE + 1)
        assert take(play, RELAY, macs(4)[3], information=information)


class TestConflicts:
    def test_an_address_behind_a_relay_is_looked_for_and_passed_over(self, play: Playbook) -> None:
        play.occupied.add(IPv4Address("10.78.0.50"))
        (offer,) = play.relayed(DISCOVER, RELAY)
        assert offer.yiaddr == IPv4Address("10.78.0.51")

    def test_nobody_is_kept_waiting_where_a_flood_may_come_through(self, play: Playbook) -> None:
        play.answer_probes = False
        for mac in macs(PER_PORT):
            play.relayed(DISCOVER, RELAY, mac, information={CIRCUIT: b"eth1"})
        (offer,) = play.relayed(DISCOVER, RELAY, information={CIRCUIT: b"eth1"})
        assert kind_of(offer) is MessageKind.OFFER


def test_a_subnet_without_relays_of_its_own_takes_what_any_relay_in_it_forwards() -> None:
    play = Playbook(subnet=SUBNET)
    (offer,) = play.relayed(DISCOVER, IPv4Address("10.77.0.254"))
    assert offer.yiaddr == IPv4Address("10.77.0.50")


def test_what_a_relay_says_badly_harms_nobody(play: Playbook) -> None:
    broken = {Code.RELAY_AGENT: b"\x01\xffabc"}
    (offer,) = play.receive(message(DISCOVER, giaddr=RELAY, options=broken), Arrival("br0", SERVER, RELAY, SERVER))
    assert offer.options[Code.RELAY_AGENT] == broken[Code.RELAY_AGENT]
    assert offer.giaddr == RELAY
    assert offer.ciaddr == NOWHERE
