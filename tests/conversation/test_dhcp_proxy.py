"""Proxy mode: another server gives the addresses, we say what to boot and nothing else."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from dhcp_playbook import EVERYBODY, MAC, OTHER_MAC, SERVER, SUBNET, Playbook, address, kind_of, message

from appliance.netboot.dhcp.facts import DhcpSeen, Unserved
from appliance.netboot.dhcp.options import Code, MessageKind
from appliance.netboot.dhcp.packet import NOWHERE
from appliance.netboot.dhcp.request import PROXY_PORT, Arrival

PXE = {
    Code.VENDOR_CLASS: b"PXEClient:Arch:00007:UNDI:003016",
    Code.ARCHITECTURE: b"\0\x07",
    Code.CLIENT_UUID: b"\0" + b"u" * 16,
}
ADDRESS_OPTIONS = {Code.LEASE_TIME, Code.RENEWAL_TIME, Code.SUBNET_MASK, Code.ROUTER, Code.DNS_SERVERS}


@pytest.fixture
def play() -> Playbook:
    return Playbook(replace(SUBNET, mode="proxy", ranges=()))


def on_4011(source: IPv4Address, source_port: int = 68) -> Arrival:
    return Arrival("br0", SERVER, source, SERVER, PROXY_PORT, source_port)


def test_offer_has_the_boot_file_and_no_address(play: Playbook) -> None:
    (offer,) = play.discover(options=PXE)
    assert (kind_of(offer), offer.yiaddr, offer.siaddr) == (MessageKind.OFFER, NOWHERE, SERVER)
    assert offer.file == offer.options[Code.BOOT_FILE] == b"snponly.efi"
    assert offer.options[Code.VENDOR_CLASS] == b"PXEClient"
    assert offer.options[Code.VENDOR_INFORMATION] == b"\x06\x01\x08\xff"
    assert offer.options[Code.SERVER_ID] == SERVER.packed
    assert offer.options[Code.CLIENT_UUID] == PXE[Code.CLIENT_UUID]
    assert not ADDRESS_OPTIONS & set(offer.options)
    assert play.sent[-1].destination.address == EVERYBODY


def test_ipxe_gets_the_script_and_http_firmware_its_url(play: Playbook) -> None:
    (script,) = play.discover(options=PXE | {Code.USER_CLASS: b"iPXE"})
    assert script.options[Code.BOOT_FILE].startswith(b"http://10.77.0.1/boot/script?")
    assert script.siaddr == SERVER, "iPXE ignores proxies without it"
    assert Code.IPXE not in script.options, "it must not be told to ignore proxies"
    http = {Code.VENDOR_CLASS: b"HTTPClient:Arch:00016:UNDI:003001", Code.ARCHITECTURE: b"\0\x10"}
    (url,) = play.discover(options=http)
    assert url.options[Code.VENDOR_CLASS] == b"HTTPClient"
    assert Code.VENDOR_INFORMATION not in url.options


@pytest.mark.parametrize("port", [68, 4011])
@pytest.mark.parametrize("kind", [MessageKind.REQUEST, MessageKind.INFORM])
def test_boot_server_port_acknowledges_by_unicast_from_itself(play: Playbook, kind: MessageKind, port: int) -> None:
    (ack,) = play.receive(message(kind, ciaddr=address(77), options=PXE), on_4011(address(77), port))
    assert (kind_of(ack), ack.yiaddr, ack.file) == (MessageKind.ACK, NOWHERE, b"snponly.efi")
    sent = play.sent[-1]
    assert (sent.port, sent.destination.address, sent.destination.port) == (PROXY_PORT, address(77), port), (
        "UEFI asks from its port 4011"
    )


def test_client_without_ciaddr_is_answered_at_its_source(play: Playbook) -> None:
    play.receive(message(MessageKind.REQUEST, options=PXE), on_4011(address(78)))
    assert play.sent[-1].destination.address == address(78)


def test_stranger_elsewhere_gets_nothing_from_the_boot_server_port(play: Playbook) -> None:
    victim = IPv4Address("198.51.100.9")
    assert play.receive(message(MessageKind.REQUEST, ciaddr=victim, options=PXE), on_4011(address(78))) == []
    assert play.receive(message(MessageKind.REQUEST, options=PXE), on_4011(victim)) == []


@pytest.mark.parametrize("kind", [each for each in MessageKind if each is not MessageKind.DISCOVER])
def test_everything_about_addresses_is_left_to_the_other_server(play: Playbook, kind: MessageKind) -> None:
    options = PXE | {Code.SERVER_ID: SERVER.packed, Code.REQUESTED_ADDRESS: address(50).packed}
    assert play.receive(message(kind, options=options)) == []
    assert play.receive(message(kind, ciaddr=address(50), options=PXE)) == []
    assert (play.disk, play.waiting, play.probes) == ({}, [], [])


def test_computers_that_do_not_boot_are_left_alone(play: Playbook) -> None:
    assert play.discover() == []
    assert [type(fact) for fact in play.facts] == [Unserved], "it is seen all the same"


def test_firmware_without_a_file_is_seen_and_left_alone(play: Playbook) -> None:
    unknown = {Code.VENDOR_CLASS: b"PXEClient", Code.ARCHITECTURE: b"\0\x63"}
    assert play.discover(options=unknown) == []
    assert [type(fact) for fact in play.facts] == [DhcpSeen]


def test_unknown_machines_can_be_ignored() -> None:
    subnet = replace(SUBNET, mode="proxy", ranges=(), unknown_machines="ignore")
    play = Playbook(subnet, known={OTHER_MAC})
    assert play.discover(MAC, options=PXE) == []
    assert len(play.discover(OTHER_MAC, options=PXE)) == 1
