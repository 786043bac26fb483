"""DHCP conversations about addresses: who gets which, until when, and what the disk must hold first."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from dhcp_playbook import LEASE, MAC, OTHER_MAC, SERVER, SUBNET, Playbook, address, kind_of, message

from appliance.lease import LeaseState, Reservation
from appliance.netboot.dhcp.ending import QUARANTINE_SECONDS
from appliance.netboot.dhcp.facts import AddressConflict, LeaseEnded, LeaseGranted, PoolExhausted
from appliance.netboot.dhcp.options import Code, MessageKind
from appliance.netboot.dhcp.packet import NOWHERE, Packet
from appliance.netboot.dhcp.pool import OFFER_SECONDS
from appliance.netboot.dhcp.service import MAX_TRIES
from appliance.netboot.dhcp.subnet import AddressRange


def seconds(packet: Packet) -> int:
    return int.from_bytes(packet.options[Code.LEASE_TIME], "big")


def only_addresses(*last: int) -> dict[str, object]:
    return {"ranges": tuple(AddressRange(address(each), address(each)) for each in last)}


@pytest.fixture
def play() -> Playbook:
    return Playbook()


def test_receives_discover_sends_offer_loses_it_receives_discover_again(play: Playbook) -> None:
    (lost,) = play.discover(xid=1)
    (offer,) = play.discover(xid=2)
    assert kind_of(offer) is MessageKind.OFFER
    assert (offer.xid, offer.yiaddr) == (2, lost.yiaddr)
    (ack,) = play.select(offer.yiaddr)
    assert (kind_of(ack), ack.yiaddr, seconds(ack)) == (MessageKind.ACK, offer.yiaddr, LEASE)


def test_loses_the_ack_receives_request_again(play: Playbook) -> None:
    (offer,) = play.discover()
    (first,) = play.select(offer.yiaddr)
    (second,) = play.select(offer.yiaddr)
    assert first.yiaddr == second.yiaddr
    assert kind_of(second) is MessageKind.ACK


def test_rom_ipxe_and_system_with_different_client_ids_get_the_same_address(play: Playbook) -> None:
    got = set()
    for client_id in (b"", b"\x00rom-uuid", b"\x01\x52\x54\x00\x00\x00\x01", b"\xff duid"):
        options = {Code.CLIENT_ID: client_id} if client_id else {}
        (offer,) = play.discover(options=options)
        (ack,) = play.select(offer.yiaddr, options=options)
        assert ack.options.get(Code.CLIENT_ID, b"") == client_id
        got.add(ack.yiaddr)
    assert len(got) == 1


def test_two_clients_never_share(play: Playbook) -> None:
    assert play.obtain(MAC) != play.obtain(OTHER_MAC)


def test_offer_is_probed_without_blocking_others_and_duplicates_share_it(play: Playbook) -> None:
    play.answer_probes = False
    assert play.discover(MAC, xid=1) == []
    assert play.discover(MAC, xid=2) == []
    assert play.discover(OTHER_MAC, xid=3) == []
    assert len(play.probes) == 2
    first, second = play.finish_probes()
    assert (first.xid, second.xid) == (2, 3)
    assert first.yiaddr != second.yiaddr


def test_known_address_is_not_probed_again(play: Playbook) -> None:
    held = play.obtain()
    play.answer_probes = False
    (offer,) = play.discover()
    assert offer.yiaddr == held


def test_occupied_address_is_set_aside_and_another_is_offered(play: Playbook) -> None:
    play.occupied = {address(50)}
    (offer,) = play.discover()
    assert offer.yiaddr == address(51)
    assert play.disk[address(50)].state is LeaseState.DECLINED
    conflicts = [fact for fact in play.facts if isinstance(fact, AddressConflict)]
    assert [(each.address, each.found_by) for each in conflicts] == [(address(50), "probe")]


def test_router_that_answers_for_everything_does_not_cost_the_whole_pool(play: Playbook) -> None:
    play.occupied = {address(last) for last in range(50, 61)}
    assert play.discover() == []
    assert len(play.disk) == MAX_TRIES


def test_old_owner_that_returns_during_the_probe_keeps_its_address(play: Playbook) -> None:
    play.configure(**only_addresses(50, 51))
    play.obtain(MAC)
    play.release(address(50), MAC)
    play.obtain("52:54:00:00:00:03")  # takes 51, never used before
    play.answer_probes = False
    play.discover(OTHER_MAC)
    assert [probe.address for probe in play.probes] == [address(50)]
    (ack,) = play.reboot(address(50), MAC)
    assert kind_of(ack) is MessageKind.ACK
    play.occupied = {address(50)}
    assert play.finish_probes() == []
    assert play.disk[address(50)].state is LeaseState.BOUND


def test_client_that_chose_another_server_during_the_probe_is_left_alone(play: Playbook) -> None:
    play.answer_probes = False
    play.discover()
    play.select(address(50), server=IPv4Address("10.77.0.2"))
    assert play.finish_probes() == []


def test_request_for_another_server_gets_silence_and_frees_our_offer(play: Playbook) -> None:
    play.configure(**only_addresses(50))
    (offer,) = play.discover(MAC)
    assert play.select(offer.yiaddr, MAC, server=IPv4Address("10.77.0.2")) == []
    (other,) = play.discover(OTHER_MAC)
    assert other.yiaddr == offer.yiaddr


def test_request_for_a_taken_address_gets_nak_by_broadcast(play: Playbook) -> None:
    taken = play.obtain(MAC)
    (nak,) = play.select(taken, OTHER_MAC)
    assert kind_of(nak) is MessageKind.NAK
    assert nak.yiaddr == NOWHERE
    assert set(nak.options) == {Code.MESSAGE_TYPE, Code.SERVER_ID, Code.MESSAGE}
    assert play.sent[-1].destination.address == IPv4Address("255.255.255.255")


@pytest.mark.parametrize("wanted", ["10.77.0.1", "10.77.0.0", "10.77.0.255", "10.77.0.49", "192.0.2.7", "0.0.0.0"])
def test_request_for_an_address_that_is_not_to_be_had_is_never_acknowledged(play: Playbook, wanted: str) -> None:
    assert all(kind_of(reply) is MessageKind.NAK for reply in play.select(IPv4Address(wanted)))


def test_requested_address_is_offered_when_it_is_free(play: Playbook) -> None:
    (offer,) = play.discover(options={Code.REQUESTED_ADDRESS: address(57).packed})
    assert offer.yiaddr == address(57)


class TestInitReboot:
    def test_own_address_is_acknowledged(self, play: Playbook) -> None:
        held = play.obtain()
        (ack,) = play.reboot(held)
        assert (kind_of(ack), ack.yiaddr) == (MessageKind.ACK, held)

    def test_wrong_network_gets_nak(self, play: Playbook) -> None:
        (nak,) = play.reboot(IPv4Address("192.168.1.20"))
        assert kind_of(nak) is MessageKind.NAK

    def test_unknown_client_gets_silence(self, play: Playbook) -> None:
        assert play.reboot(address(55)) == []

    def test_address_of_somebody_else_gets_nak(self, play: Playbook) -> None:
        held = play.obtain(OTHER_MAC)
        (nak,) = play.reboot(held)
        assert kind_of(nak) is MessageKind.NAK

    def test_other_address_than_the_bound_one_gets_nak(self, play: Playbook) -> None:
        held = play.obtain()
        (nak,) = play.reboot(held + 3)
        assert kind_of(nak) is MessageKind.NAK

    def test_released_address_is_remembered(self, play: Playbook) -> None:
        held = play.obtain()
        play.release(held)
        (ack,) = play.reboot(held)
        assert kind_of(ack) is MessageKind.ACK


class TestRenewing:
    def test_is_answered_by_unicast_to_the_client(self, play: Playbook) -> None:
        held = play.obtain()
        (ack,) = play.renew(held)
        assert (ack.ciaddr, ack.yiaddr) == (held, held)
        destination = play.sent[-1].destination
        assert (destination.address, destination.port, destination.mac) == (held, 68, None)

    def test_is_never_answered_to_a_foreign_address(self, play: Playbook) -> None:
        (nak,) = play.renew(IPv4Address("198.51.100.9"))
        assert kind_of(nak) is MessageKind.NAK
        assert play.sent[-1].destination.address == IPv4Address("255.255.255.255")

    def test_without_record_is_granted_when_free(self, play: Playbook) -> None:
        (ack,) = play.renew(address(56))
        assert (kind_of(ack), play.disk[address(56)].mac) == (MessageKind.ACK, MAC)

    def test_of_a_taken_address_gets_nak(self, play: Playbook) -> None:
        held = play.obtain(MAC)
        (nak,) = play.renew(held, OTHER_MAC)
        assert kind_of(nak) is MessageKind.NAK

    def test_at_half_time_for_ever_is_granted_in_full(self, play: Playbook) -> None:
        held = play.obtain()
        for _ in range(20):
            play.pass_time(LEASE / 2)
            (ack,) = play.renew(held)
            assert seconds(ack) == LEASE
        assert not any(isinstance(fact, LeaseEnded) for fact in play.facts)


class TestDurability:
    def test_ack_waits_for_the_disk(self, play: Playbook) -> None:
        play.stuck = True
        (offer,) = play.discover()
        assert play.select(offer.yiaddr) == []
        assert play.select(offer.yiaddr) == []
        assert len(play.waiting) == 1
        (ack,) = play.disk_recovers()
        assert kind_of(ack) is MessageKind.ACK

    def test_stuck_disk_does_not_stop_offers_and_renewals(self, play: Playbook) -> None:
        held = play.obtain(MAC)
        play.stuck = True
        play.pass_time(LEASE / 2)
        (ack,) = play.renew(held, MAC)
        assert seconds(ack) == LEASE
        (offer,) = play.discover(OTHER_MAC)
        assert kind_of(offer) is MessageKind.OFFER

    def test_no_acknowledgement_goes_beyond_what_the_disk_holds(self, play: Playbook) -> None:
        held = play.obtain(MAC)
        stored_until = play.disk[held].end
        play.stuck = True
        for _ in range(8):
            play.pass_time(LEASE / 4)
            for ack in play.renew(held, MAC):
                assert play.now + seconds(ack) <= stored_until
        assert play.renew(held, MAC) == []

    def test_renewals_go_on_while_writes_fail_and_are_written_again_with_room(self, play: Playbook) -> None:
        """A disk that is full says so at once: nobody waits for it, and what it holds already is promised on."""
        held = play.obtain(MAC)
        stored_until = play.disk[held].end
        play.stuck = True
        for expected in (LEASE, LEASE, LEASE // 2):
            play.pass_time(LEASE / 2)
            (ack,) = play.renew(held, MAC)
            play.disk_fails()
            assert seconds(ack) == expected
            assert play.now + seconds(ack) <= stored_until
            (offer,) = play.discover(OTHER_MAC)
            assert offer.yiaddr != held, "nobody else gets it meanwhile"
        play.stuck = False
        (*_, ack) = play.renew(held, MAC)
        assert seconds(ack) in (LEASE, LEASE // 2), "at once what was covered, or all of it"
        (ack,) = play.renew(held, MAC)
        assert seconds(ack) == LEASE
        assert play.disk[held].end == play.now + 2 * LEASE

    def test_renewal_inside_the_slack_needs_no_write(self, play: Playbook) -> None:
        held = play.obtain()
        stored = play.disk[held]
        play.pass_time(LEASE / 3)
        play.renew(held)
        assert play.disk[held] is stored

    def test_failed_write_means_no_ack_and_the_next_try_succeeds(self, play: Playbook) -> None:
        play.stuck = True
        (offer,) = play.discover()
        play.select(offer.yiaddr)
        play.disk_fails()
        assert play.sent[-1].data != b""
        play.stuck = False
        (ack,) = play.select(offer.yiaddr)
        assert kind_of(ack) is MessageKind.ACK

    def test_late_disk_does_not_stretch_the_lease_beyond_its_record(self, play: Playbook) -> None:
        play.stuck = True
        (offer,) = play.discover()
        play.select(offer.yiaddr)
        play.pass_time(1.5 * LEASE)
        (ack,) = play.disk_recovers()
        assert play.now + seconds(ack) <= play.disk[offer.yiaddr].end

    def test_kill_and_restart_never_gives_an_address_twice(self, play: Playbook) -> None:
        given: dict[IPv4Address, str] = {}
        for number in range(11):
            mac = f"52:54:00:00:01:{number:02x}"
            held = play.obtain(mac)
            assert given.setdefault(held, mac) == mac
            play.kill_and_restart()
        assert len(given) == 11
        play.pass_time(1)
        assert play.discover(OTHER_MAC) == []
        for held in given:
            (nak,) = play.select(held, OTHER_MAC)
            assert kind_of(nak) is MessageKind.NAK

    def test_kill_between_request_and_write_promises_nothing(self, play: Playbook) -> None:
        play.stuck = True
        (offer,) = play.discover(MAC)
        assert play.select(offer.yiaddr, MAC) == []
        play.kill_and_restart()
        play.stuck = False
        assert play.obtain(OTHER_MAC) == offer.yiaddr

    def test_kill_after_release_before_its_write_still_protects_the_next_owner(self, play: Playbook) -> None:
        play.configure(**only_addresses(50))
        play.obtain(MAC)
        play.stuck = True
        play.release(address(50), MAC)
        (offer,) = play.discover(OTHER_MAC)
        assert play.select(offer.yiaddr, OTHER_MAC) == []
        play.disk_recovers()
        play.kill_and_restart()
        assert play.disk[address(50)].mac == OTHER_MAC
        assert play.discover(MAC) == []

    def test_rebinding_after_release_waits_for_the_disk_again(self, play: Playbook) -> None:
        held = play.obtain()
        play.stuck = True
        play.release(held)
        assert play.reboot(held) == []
        (ack,) = play.disk_recovers()
        assert kind_of(ack) is MessageKind.ACK
        assert play.disk[held].state is LeaseState.BOUND

    def test_address_on_its_way_to_the_disk_is_taken(self, play: Playbook) -> None:
        play.configure(**only_addresses(50))
        play.discover(MAC)
        play.stuck = True
        play.select(address(50), MAC)
        play.pass_time(OFFER_SECONDS + 1)
        assert play.discover(OTHER_MAC) == []

    def test_record_of_the_old_owner_does_not_cover_the_new_one(self, play: Playbook) -> None:
        play.configure(**only_addresses(50))
        play.obtain(MAC)
        play.now += LEASE + 1  # over, but no timer fired yet
        play.stuck = True
        (offer,) = play.discover(OTHER_MAC)
        assert play.select(offer.yiaddr, OTHER_MAC) == []
        assert play.select(offer.yiaddr, OTHER_MAC) == []

    def test_overtaken_write_covers_nothing(self, play: Playbook) -> None:
        (offer,) = play.discover()
        play.stuck = True
        play.select(offer.yiaddr)
        play.release(offer.yiaddr)
        play.reboot(offer.yiaddr)
        states = [lease.state for lease in play.waiting]
        assert states == [LeaseState.BOUND, LeaseState.RELEASED, LeaseState.BOUND]
        assert play.disk_writes_only(1) == []
        assert play.disk_writes_only(1) == []
        (ack,) = play.disk_recovers()
        assert kind_of(ack) is MessageKind.ACK


class TestEnding:
    def test_release_frees_at_once_and_is_remembered(self, play: Playbook) -> None:
        held = play.obtain(MAC)
        play.release(held, MAC)
        assert play.disk[held].state is LeaseState.RELEASED
        assert play.obtain(OTHER_MAC) != held
        assert play.obtain(MAC) == held

    def test_release_by_a_stranger_changes_nothing(self, play: Playbook) -> None:
        held = play.obtain(MAC)
        play.release(held, OTHER_MAC)
        assert play.disk[held].state is LeaseState.BOUND

    def test_lease_ends_when_the_client_stops_renewing(self, play: Playbook) -> None:
        play.configure(**only_addresses(50))
        play.obtain(MAC)
        play.pass_time(LEASE - 1)
        assert play.discover(OTHER_MAC) == []
        play.pass_time(2)
        ended = [fact for fact in play.facts if isinstance(fact, LeaseEnded)]
        assert [(fact.lease.mac, fact.reason) for fact in ended] == [(MAC, "expired")]
        assert play.obtain(OTHER_MAC) == address(50)

    def test_expired_client_gets_its_old_address_back(self, play: Playbook) -> None:
        held = play.obtain(MAC)
        play.pass_time(5 * LEASE)
        play.obtain(OTHER_MAC)
        assert play.obtain(MAC) == held

    def test_decline_sets_the_address_aside_for_a_while(self, play: Playbook) -> None:
        play.configure(**only_addresses(50))
        held = play.obtain()
        play.decline(held)
        assert play.disk[held].state is LeaseState.DECLINED
        assert play.discover() == []
        play.kill_and_restart()
        assert play.discover() == []
        play.pass_time(QUARANTINE_SECONDS + 1)
        (offer,) = play.discover()
        assert offer.yiaddr == held

    def test_decline_of_an_address_that_we_did_not_give_changes_nothing(self, play: Playbook) -> None:
        held = play.obtain(OTHER_MAC)
        play.decline(held, MAC)
        play.decline(address(58), MAC)
        assert [lease.state for lease in play.disk.values()] == [LeaseState.BOUND]

    def test_declines_are_limited_per_client(self, play: Playbook) -> None:
        for _ in range(6):
            play.decline(play.obtain())
        assert sum(lease.state is LeaseState.DECLINED for lease in play.disk.values()) == 3


class TestReservations:
    reserved = Reservation(MAC, address(55), "db1")

    def test_reserved_address_and_name_go_to_their_machine(self) -> None:
        play = Playbook(reservations=(self.reserved,))
        (offer,) = play.discover(MAC)
        assert (offer.yiaddr, offer.options[Code.HOST_NAME]) == (address(55), b"db1")

    def test_reserved_address_may_lie_outside_the_ranges(self) -> None:
        play = Playbook(reservations=(Reservation(MAC, address(9)),))
        assert play.obtain(MAC) == address(9)

    def test_flood_never_eats_a_reservation(self) -> None:
        play = Playbook(reservations=(self.reserved,))
        for number in range(30):
            for offer in play.discover(f"52:54:00:00:02:{number:02x}"):
                play.select(offer.yiaddr, f"52:54:00:00:02:{number:02x}")
        assert address(55) not in play.disk
        assert play.obtain(MAC) == address(55)

    def test_stranger_that_asks_for_it_gets_nak(self) -> None:
        play = Playbook(reservations=(self.reserved,))
        (nak,) = play.select(address(55), OTHER_MAC)
        assert kind_of(nak) is MessageKind.NAK

    def test_new_reservation_of_a_taken_address_waits_for_its_end(self, play: Playbook) -> None:
        held = play.obtain(OTHER_MAC)
        play.responder.set_reservations([Reservation(MAC, held)])
        assert play.obtain(MAC) != held
        play.release(held, OTHER_MAC)
        assert play.obtain(MAC) == held

    def test_running_machine_loses_an_address_that_is_reserved_for_another(self, play: Playbook) -> None:
        held = play.obtain(OTHER_MAC)
        play.responder.set_reservations([Reservation(MAC, held)])
        (nak,) = play.renew(held, OTHER_MAC)
        assert kind_of(nak) is MessageKind.NAK

    def test_machine_with_another_address_gets_the_reserved_one_when_it_renews(self, play: Playbook) -> None:
        held = play.obtain(MAC)
        play.responder.set_reservations([self.reserved])
        (nak,) = play.renew(held, MAC)
        assert kind_of(nak) is MessageKind.NAK
        assert play.obtain(MAC) == address(55)
        assert play.disk[held].state is LeaseState.RELEASED
        (ack,) = play.renew(address(55), MAC)
        assert kind_of(ack) is MessageKind.ACK

    def test_machine_with_another_address_gets_the_reserved_one_when_it_reboots(self, play: Playbook) -> None:
        held = play.obtain(MAC)
        play.responder.set_reservations([self.reserved])
        (nak,) = play.reboot(held, MAC)
        assert kind_of(nak) is MessageKind.NAK
        (offer,) = play.discover(MAC, options={Code.REQUESTED_ADDRESS: held.packed})
        assert offer.yiaddr == address(55)

    def test_machine_keeps_its_address_while_it_could_not_get_the_reserved_one(self, play: Playbook) -> None:
        """A NAK would send it round in a circle: DISCOVER would lead to the address that it has."""
        held, other = play.obtain(MAC), play.obtain(OTHER_MAC)
        play.responder.set_reservations([Reservation(MAC, other)])
        (ack,) = play.renew(held, MAC)
        assert (kind_of(ack), ack.yiaddr) == (MessageKind.ACK, held)
        play.release(other, OTHER_MAC)
        (nak,) = play.renew(held, MAC)
        assert kind_of(nak) is MessageKind.NAK
        assert play.obtain(MAC) == other

    def test_reserved_address_that_a_stranger_uses_is_passed_over(self, play: Playbook) -> None:
        held = play.obtain(MAC)
        play.occupied.add(address(55))
        play.responder.set_reservations([self.reserved])
        (nak,) = play.renew(held, MAC)
        assert kind_of(nak) is MessageKind.NAK
        assert play.obtain(MAC) == held
        (ack,) = play.renew(held, MAC)
        assert kind_of(ack) is MessageKind.ACK

    def test_reservations_mode_serves_who_got_one_and_no_longer_who_lost_it(self) -> None:
        play = Playbook(replace(SUBNET, mode="reservations", ranges=()))
        assert play.discover(MAC) == []
        play.responder.set_reservations([self.reserved])
        assert play.obtain(MAC) == address(55)
        play.responder.set_reservations([Reservation(MAC, address(56))])
        (nak,) = play.renew(address(55), MAC)
        assert kind_of(nak) is MessageKind.NAK
        assert play.obtain(MAC) == address(56)
        play.responder.set_reservations([])
        assert play.renew(address(56), MAC) == []

    def test_address_used_before_returns_when_its_reservation_goes(self, play: Playbook) -> None:
        play.configure(**only_addresses(50))
        play.release(play.obtain(OTHER_MAC), OTHER_MAC)
        play.responder.set_reservations([Reservation(MAC, address(50))])
        assert play.discover("52:54:00:00:00:03") == []
        play.responder.set_reservations([])
        assert play.obtain("52:54:00:00:00:03") == address(50)

    def test_removed_reservation_returns_to_the_pool(self) -> None:
        play = Playbook(replace(SUBNET, **only_addresses(55)), reservations=(self.reserved,))
        assert play.discover(OTHER_MAC) == []
        play.responder.set_reservations([])
        (offer,) = play.discover(OTHER_MAC)
        assert offer.yiaddr == address(55)

    def test_reservations_mode_is_silent_to_all_others(self) -> None:
        play = Playbook(replace(SUBNET, mode="reservations"), reservations=(self.reserved,))
        assert play.discover(OTHER_MAC) == []
        assert play.reboot(IPv4Address("192.0.2.1"), OTHER_MAC) == []
        assert play.obtain(MAC) == address(55)
        (nak,) = play.select(address(57), MAC)
        assert kind_of(nak) is MessageKind.NAK


class TestExhaustion:
    def test_full_pool_is_silent_and_says_so_once_a_second(self, play: Playbook) -> None:
        play.configure(**only_addresses(50))
        play.obtain(MAC)
        for _ in range(5):
            assert play.discover(OTHER_MAC) == []
        assert len([fact for fact in play.facts if isinstance(fact, PoolExhausted)]) == 1

    def test_offers_are_held_only_briefly(self, play: Playbook) -> None:
        play.configure(**only_addresses(50))
        play.discover(MAC)
        play.pass_time(31)
        assert play.obtain(OTHER_MAC) == address(50)

    def test_flood_of_made_up_machines_does_not_starve_a_real_one(self, play: Playbook) -> None:
        for number in range(200):
            play.discover(f"52:54:00:00:03:{number:02x}")
        play.pass_time(5)
        assert play.obtain(MAC) in {address(last) for last in range(50, 61)}

    def test_what_is_chosen_while_too_much_is_probed_is_not_lost(self, play: Playbook, monkeypatch) -> None:
        monkeypatch.setattr("appliance.netboot.dhcp.service.MAX_PROBES", 2)
        play.answer_probes = False
        for number in range(11):
            play.discover(f"52:54:00:00:03:{number:02x}")
        play.finish_probes()
        play.answer_probes = True
        play.pass_time(60)
        given = [play.obtain(f"52:54:00:00:04:{number:02x}") for number in range(11)]
        assert set(given) == {address(last) for last in range(50, 61)}

    def test_an_address_whose_client_left_during_its_probe_goes_to_the_next(self, play: Playbook) -> None:
        play.configure(**only_addresses(50))
        play.answer_probes = False
        play.discover(MAC)
        play.select(address(50), MAC, server=IPv4Address("10.77.0.9"))
        assert play.discover(OTHER_MAC) == []
        (offer,) = play.finish_probes()
        assert (offer.yiaddr, offer.chaddr.hex(":")) == (address(50), OTHER_MAC)

    def test_address_offered_to_two_goes_to_the_first_that_takes_it(self, play: Playbook) -> None:
        play.configure(**only_addresses(50))
        play.discover(MAC)
        play.pass_time(5)
        play.discover(OTHER_MAC)
        (ack,) = play.select(address(50), MAC)
        assert kind_of(ack) is MessageKind.ACK
        (nak,) = play.select(address(50), OTHER_MAC)
        assert kind_of(nak) is MessageKind.NAK


def test_inform_gets_options_without_address_or_times(play: Playbook) -> None:
    (ack,) = play.receive(message(MessageKind.INFORM, ciaddr=address(7)))
    assert (kind_of(ack), ack.yiaddr, ack.ciaddr) == (MessageKind.ACK, NOWHERE, address(7))
    assert not {Code.LEASE_TIME, Code.RENEWAL_TIME, Code.REBINDING_TIME} & set(ack.options)
    assert ack.options[Code.DNS_SERVERS] == SERVER.packed
    assert play.sent[-1].destination.address == address(7)
    assert play.disk == {}


def test_granted_lease_is_published_with_its_end(play: Playbook) -> None:
    held = play.obtain()
    granted = [fact for fact in play.facts if isinstance(fact, LeaseGranted)]
    assert [(fact.lease.address, fact.until) for fact in granted] == [(held, play.now + LEASE)]
