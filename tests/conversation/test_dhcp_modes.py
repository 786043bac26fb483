"""A subnet is switched while machines hold leases and wait for answers; service is held back beside another server."""

from dataclasses import replace

import pytest
from dhcp_playbook import MAC, OTHER_MAC, SERVER, Playbook, address, kind_of, message

from appliance.lease import LeaseState, Reservation
from appliance.netboot.dhcp.facts import Unserved
from appliance.netboot.dhcp.options import Code, MessageKind
from appliance.netboot.dhcp.responder import Responder

PXE = {Code.VENDOR_CLASS: b"PXEClient:Arch:00000", Code.ARCHITECTURE: b"\0\0"}


@pytest.fixture
def play() -> Playbook:
    return Playbook()


def switch(play: Playbook, **rules: object) -> None:
    """While it is served: nothing restarts."""
    play.subnet = replace(play.subnet, **rules)
    play.responder.switch(play.subnet)


def test_leases_survive_every_mode_and_are_renewed_again(play: Playbook) -> None:
    held = play.obtain()
    for mode in ("off", "proxy", "reservations"):
        switch(play, mode=mode)
        assert play.renew(held) == [], f"{mode}: silence"
        assert play.disk[held].state is LeaseState.BOUND
    switch(play, mode="authoritative")
    (ack,) = play.renew(held)
    assert (kind_of(ack), ack.yiaddr) == (MessageKind.ACK, held)


def test_a_lease_that_nobody_may_renew_ends_by_the_clock(play: Playbook) -> None:
    held = play.obtain()
    switch(play, mode="off")
    play.pass_time(play.subnet.lease_seconds + 1)
    assert play.disk[held].state is LeaseState.RELEASED
    switch(play, mode="authoritative")
    assert play.obtain() == held, "and it gets the same one again"


def test_an_offer_survives_a_switch_and_back(play: Playbook) -> None:
    (offer,) = play.discover()
    switch(play, mode="off")
    switch(play, mode="authoritative")
    (ack,) = play.select(offer.yiaddr)
    assert kind_of(ack) is MessageKind.ACK


def test_a_renewal_that_waits_for_the_disk_gets_no_answer_once_the_subnet_is_off(play: Playbook) -> None:
    play.obtain()
    play.stuck = True
    assert play.discover(OTHER_MAC)
    assert play.select(address(51), OTHER_MAC) == []
    switch(play, mode="off")
    assert play.disk_recovers() == [], "silent, though the lease is written"
    switch(play, mode="authoritative")
    (ack,) = play.select(address(51), OTHER_MAC)
    assert (kind_of(ack), ack.yiaddr) == (MessageKind.ACK, address(51))


@pytest.mark.parametrize("mode", ["off", "proxy", "reservations"])
def test_a_client_whose_address_is_being_looked_at_is_offered_nothing_after_the_switch(
    play: Playbook, mode: str
) -> None:
    play.answer_probes = False
    assert play.discover() == []
    switch(play, mode=mode)
    assert play.finish_probes() == []
    switch(play, mode="authoritative")
    play.answer_probes = True
    (offer,) = play.discover()
    assert kind_of(offer) is MessageKind.OFFER, "and is not left waiting for ever"


def test_from_proxy_to_authoritative_firmware_gets_an_address_with_its_file(play: Playbook) -> None:
    switch(play, mode="proxy")
    (boot,) = play.discover(options=PXE)
    assert (str(boot.yiaddr), boot.file) == ("0.0.0.0", b"undionly.kpxe")
    switch(play, mode="authoritative")
    (offer,) = play.discover(options=PXE)
    assert (offer.yiaddr, offer.file) == (address(50), b"undionly.kpxe")


def test_who_is_served_follows_the_switch(play: Playbook) -> None:
    assert play.discover()
    switch(play, serve_non_pxe=False)
    assert play.discover(OTHER_MAC) == []
    assert play.discover(OTHER_MAC, options=PXE)
    switch(play, unknown_machines="ignore")
    (offer,) = play.discover(OTHER_MAC, options=PXE)
    assert offer.file == b""
    switch(play, serve_non_pxe=True, unknown_machines="enlist")
    (offer,) = play.discover(OTHER_MAC, options=PXE)
    assert offer.file == b"undionly.kpxe"


# -- held back


def test_while_service_is_held_back_only_holders_of_leases_are_answered(play: Playbook) -> None:
    held = play.obtain()
    play.responder.hold("br0", True)
    assert play.discover(OTHER_MAC, options=PXE) == []
    assert isinstance(play.facts[-1], Unserved), "it is seen all the same"
    assert kind_of(play.renew(held)[0]) is MessageKind.ACK
    assert kind_of(play.reboot(held)[0]) is MessageKind.ACK
    (offer,) = play.discover()
    assert offer.yiaddr == held, "it restarts in the middle of something, and gets its own address"
    assert kind_of(play.select(held)[0]) is MessageKind.ACK
    play.responder.hold("br0", False)
    assert play.discover(OTHER_MAC, options=PXE)


def test_while_service_is_held_back_the_other_server_s_clients_are_not_thrown_off(play: Playbook) -> None:
    held = play.obtain()
    play.responder.hold("br0", True)
    assert play.reboot(address(200), OTHER_MAC) == []
    assert play.renew(address(200), OTHER_MAC) == []
    assert play.reboot(address(200)) == [], "one of ours that moved to it"
    assert play.release(held) == []
    assert play.discover() == [], "who gave its address back has none of ours any more"


def test_reservations_are_given_beside_another_server() -> None:
    play = Playbook(reservations=(Reservation(MAC, address(55)),))
    play.responder.hold("br0", True)
    switch(play, mode="reservations")
    assert play.obtain() == address(55)
    switch(play, mode="authoritative")
    assert play.discover(OTHER_MAC) == [], "held back until somebody has looked"


def test_nothing_is_answered_where_no_subnet_is_configured() -> None:
    silent = Responder([], is_known=lambda _mac: True)
    play = Playbook()
    play.responder = silent
    for kind in MessageKind:
        options = PXE | {Code.SERVER_ID: SERVER.packed, Code.REQUESTED_ADDRESS: address(50).packed}
        assert play.receive(message(kind, MAC, options=options)) == []
    assert (play.sent, play.facts, play.disk) == ([], [], {})
