"""What no other conversation says: rebinding, and answers on the interface that was asked."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface

import pytest
from dhcp_playbook import EVERYBODY, MAC, OTHER_MAC, SERVER, SUBNET, Playbook, address, kind_of, message

from appliance.netboot.dhcp.effects import Probe, Send
from appliance.netboot.dhcp.options import Code, MessageKind
from appliance.netboot.dhcp.packet import Packet, decode
from appliance.netboot.dhcp.request import Arrival
from appliance.netboot.dhcp.responder import Responder
from appliance.netboot.dhcp.subnet import AddressRange


def rebind(book: Playbook, held: IPv4Address, mac: str = MAC) -> list[Packet]:
    """The client asks everybody to extend its lease, since its own server does not answer (RFC 2131 section 4.4.5)."""
    return book.receive(message(MessageKind.REQUEST, mac, ciaddr=held), Arrival("br0", SERVER, held, EVERYBODY))


def test_rebinding_is_answered_where_we_know_the_lease() -> None:
    book = Playbook()
    held = book.obtain()
    book.pass_time(900)
    (ack,) = rebind(book, held)
    assert (kind_of(ack), ack.yiaddr, ack.ciaddr) == (MessageKind.ACK, held, held)
    assert book.sent[-1].destination.address == held, "to the client, which has the address"


def test_rebinding_without_a_record_is_answered_by_the_authority_only() -> None:
    book = Playbook()
    (ack,) = rebind(book, address(55))
    assert (kind_of(ack), ack.yiaddr) == (MessageKind.ACK, address(55)), "free, and ours to give"
    book.obtain(OTHER_MAC)
    (nak,) = rebind(book, address(50), "52:54:00:00:00:03")
    assert kind_of(nak) is MessageKind.NAK, "it is another one's"
    for mode in ("proxy", "reservations", "off"):
        other = Playbook(replace(SUBNET, mode=mode))
        assert rebind(other, address(55)) == []


@pytest.mark.parametrize("number", [77, 78])
def test_each_interface_answers_for_itself(number: int) -> None:
    """Two subnets: the reply leaves where its request came in, from our address there, with that as server."""
    subnets = [
        replace(
            SUBNET,
            interface=f"br{each}",
            address=IPv4Interface(f"10.{each}.0.1/24"),
            ranges=(AddressRange(IPv4Address(f"10.{each}.0.50"), IPv4Address(f"10.{each}.0.60")),),
        )
        for each in (77, 78)
    ]
    responder = Responder(subnets, is_known=lambda _: False)
    ours = IPv4Address(f"10.{number}.0.1")
    arrival = Arrival(f"br{number}", ours, IPv4Address(0), EVERYBODY)
    effects = responder.receive_datagram(message(MessageKind.DISCOVER), arrival, 1e9)
    (probe,) = (each for each in effects if isinstance(each, Probe))
    (sent,) = (
        each for each in responder.probe_result(probe.interface, probe.address, False, 1e9) if isinstance(each, Send)
    )
    assert (probe.interface, sent.destination.interface) == (f"br{number}", f"br{number}")
    offer = decode(sent.data)
    assert offer.yiaddr == IPv4Address(f"10.{number}.0.50")
    assert offer.options[Code.SERVER_ID] == ours.packed
