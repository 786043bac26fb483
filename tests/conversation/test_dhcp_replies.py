"""DHCP conversations about the reply itself: where it goes, what it echoes, who gets boot information."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from dhcp_playbook import EVERYBODY, LEASE, MAC, OTHER_MAC, SERVER, SUBNET, Playbook, address, kind_of, message
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP

from appliance.netboot.dhcp.facts import BadPacket, DhcpSeen
from appliance.netboot.dhcp.options import Code, MessageKind
from appliance.netboot.dhcp.packet import BROADCAST_FLAG, NOWHERE
from appliance.netboot.dhcp.request import Arrival
from appliance.netboot.firmware import Firmware

PXE = {Code.VENDOR_CLASS: b"PXEClient:Arch:00000:UNDI:002001", Code.ARCHITECTURE: b"\0\0"}
UEFI_HTTP = {Code.VENDOR_CLASS: b"HTTPClient:Arch:00016:UNDI:003001", Code.ARCHITECTURE: b"\0\x10"}
IPXE = PXE | {Code.USER_CLASS: b"iPXE", Code.IPXE: b"\x13\x01\x01"}
BOOT_OPTIONS = {Code.IPXE, Code.BOOT_FILE, Code.TFTP_SERVER_NAME, Code.VENDOR_CLASS}


@pytest.fixture
def play() -> Playbook:
    return Playbook()


class TestDestination:
    def test_client_without_address_is_reached_through_its_card(self, play: Playbook) -> None:
        (offer,) = play.discover()
        destination = play.sent[-1].destination
        assert (destination.mac, destination.address, destination.port) == (MAC, offer.yiaddr, 68)

    def test_broadcast_flag_is_obeyed_and_echoed(self, play: Playbook) -> None:
        (offer,) = play.discover(flags=BROADCAST_FLAG)
        assert offer.flags == BROADCAST_FLAG
        destination = play.sent[-1].destination
        assert (destination.mac, destination.address) == ("ff:ff:ff:ff:ff:ff", EVERYBODY)

    def test_made_up_ciaddr_sends_nothing_elsewhere(self, play: Playbook) -> None:
        victim = IPv4Address("198.51.100.1")
        play.receive(message(MessageKind.DISCOVER, ciaddr=victim))
        play.receive(message(MessageKind.INFORM, ciaddr=victim))
        play.receive(message(MessageKind.REQUEST, ciaddr=victim))
        chosen = {Code.SERVER_ID: SERVER.packed, Code.REQUESTED_ADDRESS: address(50).packed}
        play.receive(message(MessageKind.REQUEST, ciaddr=victim, options=chosen))
        assert play.sent
        assert all(send.destination.address != victim for send in play.sent)

    def test_relay_gets_offer_ack_and_nak(self, play: Playbook) -> None:
        relay = address(250)
        wanted = {Code.REQUESTED_ADDRESS: IPv4Address("192.0.2.1").packed}
        play.receive(message(MessageKind.DISCOVER, giaddr=relay))
        (nak,) = play.receive(message(MessageKind.REQUEST, giaddr=relay, options=wanted))
        assert (kind_of(nak), nak.flags) == (MessageKind.NAK, BROADCAST_FLAG)
        targets = {(send.destination.address, send.destination.port, send.destination.mac) for send in play.sent}
        assert targets == {(relay, 67, None)}

    def test_relay_of_a_subnet_that_we_do_not_have_gets_silence(self, play: Playbook) -> None:
        assert play.receive(message(MessageKind.DISCOVER, giaddr=IPv4Address("192.0.2.1"))) == []

    def test_link_selection_and_server_override_of_the_relay(self, play: Playbook) -> None:
        override = IPv4Address("192.0.2.1")
        information = b"\x05\x04" + address(0).packed + b"\x0b\x04" + override.packed
        options = {Code.RELAY_AGENT: information}
        (offer,) = play.receive(message(MessageKind.DISCOVER, giaddr=override, options=options))
        assert offer.options[Code.SERVER_ID] == override.packed
        assert play.sent[-1].data.rstrip(b"\0").endswith(information + b"\xff")
        chosen = options | {Code.SERVER_ID: override.packed, Code.REQUESTED_ADDRESS: offer.yiaddr.packed}
        (ack,) = play.receive(message(MessageKind.REQUEST, giaddr=override, options=chosen))
        assert kind_of(ack) is MessageKind.ACK


class TestContents:
    def test_scapy_reads_the_offer(self, play: Playbook) -> None:
        play.discover(xid=0xDEADBEEF)
        theirs = BOOTP(play.sent[-1].data)
        options = dict(option for option in theirs[DHCP].options if isinstance(option, tuple))
        assert (theirs.op, theirs.xid, theirs.yiaddr) == (2, 0xDEADBEEF, "10.77.0.50")
        assert options["message-type"] == 2
        assert options["server_id"] == options["router"] == options["name_server"] == "10.77.0.1"
        assert options["subnet_mask"] == "255.255.255.0"
        assert options["lease_time"] == LEASE
        assert (options["renewal_time"], options["rebinding_time"]) == (LEASE // 2, LEASE * 7 // 8)
        assert options["domain"] == b"lab.test"

    def test_replies_have_at_least_300_octets(self, play: Playbook) -> None:
        play.discover()
        play.reboot(IPv4Address("192.0.2.1"), OTHER_MAC)
        assert all(len(send.data) >= 300 for send in play.sent)

    def test_identifiers_are_echoed(self, play: Playbook) -> None:
        echoed = {Code.CLIENT_ID: b"\xff" + b"x" * 30, Code.CLIENT_UUID: b"\0" + b"u" * 16}
        (offer,) = play.discover(options=echoed)
        assert {code: offer.options[code] for code in echoed} == echoed

    def test_fields_are_echoed(self, play: Playbook) -> None:
        relay, flags = address(250), BROADCAST_FLAG | 0x0101
        asked = {"xid": 0xDEADBEEF, "giaddr": relay, "flags": flags}
        (offer,) = play.discover(MAC, **asked)
        chosen = {Code.SERVER_ID: SERVER.packed, Code.REQUESTED_ADDRESS: offer.yiaddr.packed}
        (ack,) = play.receive(message(MessageKind.REQUEST, MAC, options=chosen, **asked))
        (nak,) = play.receive(message(MessageKind.REQUEST, OTHER_MAC, options=chosen, **asked))
        (told,) = play.receive(message(MessageKind.INFORM, MAC, **asked))
        assert [kind_of(each).name for each in (offer, ack, nak, told)] == ["OFFER", "ACK", "NAK", "ACK"]
        for reply in (offer, ack, nak, told):
            assert (reply.xid, reply.giaddr) == (0xDEADBEEF, relay)
            assert reply.chaddr.hex(":") == (OTHER_MAC if reply is nak else MAC)
        assert [each.flags for each in (offer, ack, nak, told)] == [flags, flags, BROADCAST_FLAG, flags]

    def test_relay_information_is_echoed_last_whatever_else_there_is(self, play: Playbook) -> None:
        information = b"\x01\x06port-7\x02\x04rack"
        options = IPXE | {Code.RELAY_AGENT: information, Code.CLIENT_ID: b"c" * 100}
        play.discover(options=options, giaddr=address(250))
        assert play.sent[-1].data.rstrip(b"\0").endswith(b"\x52\x0e" + information + b"\xff")

    def test_reply_stays_within_what_the_client_takes(self, play: Playbook) -> None:
        long = IPXE | {Code.CLIENT_ID: b"c" * 400}
        play.discover(options=long)
        assert len(play.sent[-1].data) <= 548
        for size in (576, 700, 1000):
            play.discover(options=long | {Code.MAX_MESSAGE_SIZE: size.to_bytes(2, "big")})
            assert len(play.sent[-1].data) <= size - 28, "less the headers of IP and UDP"
        play.discover(options=long | {Code.MAX_MESSAGE_SIZE: (1500).to_bytes(2, "big")})
        assert 548 < len(play.sent[-1].data) <= 1472
        play.discover(options=long | {Code.MAX_MESSAGE_SIZE: (65535).to_bytes(2, "big")})
        assert len(play.sent[-1].data) <= 1472


class TestBoot:
    def test_bios_rom_gets_file_in_field_and_options(self, play: Playbook) -> None:
        (offer,) = play.discover(options=PXE)
        assert (offer.siaddr, offer.file) == (SERVER, b"undionly.kpxe")
        assert offer.options[Code.BOOT_FILE] == b"undionly.kpxe"
        assert offer.options[Code.TFTP_SERVER_NAME] == b"10.77.0.1"
        assert Code.VENDOR_CLASS not in offer.options  # UEFI would go looking for a boot server on port 4011

    def test_http_boot_gets_url_and_its_class_echoed(self, play: Playbook) -> None:
        (offer,) = play.discover(options=UEFI_HTTP)
        assert offer.options[Code.VENDOR_CLASS] == b"HTTPClient"
        assert offer.options[Code.BOOT_FILE] == offer.file == b"http://10.77.0.1/boot/snponly.efi"

    def test_ipxe_gets_the_script_for_the_card_that_asked(self, play: Playbook) -> None:
        (offer,) = play.discover(options=IPXE)
        start = b"http://10.77.0.1/boot/script?mac=52-54-00-00-00-01&"
        assert offer.options[Code.BOOT_FILE].startswith(start)
        assert offer.siaddr == SERVER, "network GRUB, started from it, asks it where its configuration is"
        assert offer.options[Code.IPXE] == b"\xb0\x01\x01", "no waiting for a proxy"

    def test_operating_system_gets_no_boot_file(self, play: Playbook) -> None:
        (offer,) = play.discover()
        assert not BOOT_OPTIONS & set(offer.options)
        assert (offer.file, offer.siaddr) == (b"", NOWHERE)

    @pytest.mark.parametrize("options", [PXE, UEFI_HTTP, IPXE])
    def test_unknown_machine_that_is_to_be_ignored_gets_an_address_only(self, options: dict[int, bytes]) -> None:
        play = Playbook(replace(SUBNET, unknown_machines="ignore"), known={OTHER_MAC})
        (unknown,) = play.discover(MAC, options=options)
        assert not BOOT_OPTIONS & set(unknown.options)
        assert unknown.file == b""
        (known,) = play.discover(OTHER_MAC, options=options)
        assert Code.BOOT_FILE in known.options

    def test_computers_that_do_not_boot_can_be_left_to_another_server(self) -> None:
        play = Playbook(replace(SUBNET, serve_non_pxe=False), known={OTHER_MAC})
        assert play.discover(MAC) == []
        assert play.reboot(IPv4Address("192.0.2.1"), MAC) == []
        assert len(play.discover(MAC, options=PXE)) == 1
        assert len(play.discover(OTHER_MAC)) == 1

    def test_what_was_seen_is_published(self, play: Playbook) -> None:
        play.discover(options=PXE | {Code.CLIENT_UUID: b"\0" + bytes(range(16))})
        (seen,) = [fact for fact in play.facts if isinstance(fact, DhcpSeen)]
        assert (seen.mac, seen.kind, seen.firmware) == (MAC, MessageKind.DISCOVER, Firmware.BIOS)
        assert str(seen.uuid) == "03020100-0504-0706-0809-0a0b0c0d0e0f"


def test_hostnames_are_made_safe_and_follow_the_system(play: Playbook) -> None:
    (offer,) = play.discover()
    play.select(offer.yiaddr)
    for sent, kept in (
        (b"Web-1.example.org", "web-1"),
        (b"", "web-1"),
        (b"<script>\xff\0 a_b", "scripta-b"),
        (b"--", "scripta-b"),
    ):
        play.select(offer.yiaddr, options={Code.HOST_NAME: sent} if sent else {})
        assert play.disk[offer.yiaddr].hostname == kept


class TestBadInput:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            bytes(300),
            message(MessageKind.DISCOVER)[:239],
            message(MessageKind.DISCOVER, mac="01:00:5e:00:00:01"),
            message(MessageKind.DISCOVER, mac="ff:ff:ff:ff:ff:ff"),
            message(MessageKind.DISCOVER, mac="00:00:00:00:00:00"),
            message(MessageKind.DISCOVER, options={Code.MESSAGE_TYPE: b"\x63"}),
            message(MessageKind.DISCOVER, options={Code.MESSAGE_TYPE: b""}),
            message(MessageKind.DISCOVER, options={Code.MESSAGE_TYPE: b"\x00" * 200}),
            b"\x02" + message(MessageKind.OFFER)[1:],
            b"\x01\x06\x06" + message(MessageKind.DISCOVER)[3:],
            b"\x01\x01\x10" + message(MessageKind.DISCOVER)[3:],
        ],
    )
    def test_is_dropped_with_a_reason_and_harms_nobody(self, play: Playbook, data: bytes) -> None:
        assert play.receive(data) == []
        (bad,) = [fact for fact in play.facts if isinstance(fact, BadPacket)]
        assert bad.reason
        play.obtain()

    def test_is_reported_once_a_second_with_a_count(self, play: Playbook) -> None:
        for _ in range(100):
            play.receive(b"rubbish")
        play.now += 2
        play.receive(b"rubbish")
        reports = [fact for fact in play.facts if isinstance(fact, BadPacket)]
        assert [fact.suppressed for fact in reports] == [0, 99]

    @pytest.mark.parametrize("kind", [MessageKind.OFFER, MessageKind.ACK, MessageKind.NAK])
    def test_server_messages_in_requests_are_not_answered(self, play: Playbook, kind: MessageKind) -> None:
        assert play.receive(message(kind)) == []

    def test_request_that_names_nothing_is_not_answered(self, play: Playbook) -> None:
        assert play.receive(message(MessageKind.REQUEST)) == []
        assert play.receive(message(MessageKind.REQUEST, options={Code.SERVER_ID: SERVER.packed})) == []
        assert play.receive(message(MessageKind.DECLINE)) == []
        assert play.receive(message(MessageKind.RELEASE)) == []

    def test_interface_without_subnet_is_silent(self, play: Playbook) -> None:
        elsewhere = Arrival("eth9", SERVER, NOWHERE, EVERYBODY)
        assert play.receive(message(MessageKind.DISCOVER), elsewhere) == []
        assert play.facts == []

    def test_subnet_that_is_off_is_silent(self) -> None:
        play = Playbook(replace(SUBNET, mode="off"))
        assert play.discover() == []
        assert play.facts == []


hostile_ips = st.sampled_from([NOWHERE, EVERYBODY, SERVER, *map(address, (0, 50, 51, 52, 255)), IPv4Address("8.8.8.8")])
hostile_messages = st.builds(
    message,
    st.sampled_from(MessageKind),
    st.sampled_from([f"52:54:00:00:00:{number:02x}" for number in range(6)]),
    ciaddr=hostile_ips,
    giaddr=st.sampled_from([NOWHERE, NOWHERE, NOWHERE, address(250)]),
    flags=st.sampled_from([0, BROADCAST_FLAG]),
    options=st.dictionaries(
        st.sampled_from([Code.SERVER_ID, Code.REQUESTED_ADDRESS]), hostile_ips.map(lambda ip: ip.packed)
    ),
)
steps = st.lists(hostile_messages | st.sampled_from(["kill", "stick", "recover", "wait"]), max_size=60)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_no_address_ever_belongs_to_two_whatever_happens(script: list[bytes | str]) -> None:
    """Clients of all kinds, a disk that sticks, and kill -9, in any order: promises never overlap."""
    play = Playbook()
    promised: dict[IPv4Address, tuple[bytes, float]] = {}
    for step in script:
        for ack in _take(play, step):
            if kind_of(ack) is not MessageKind.ACK or ack.yiaddr == NOWHERE:
                continue
            owner, until = promised.get(ack.yiaddr, (ack.chaddr, 0.0))
            assert owner == ack.chaddr or until <= play.now, "two machines hold one address"
            promised[ack.yiaddr] = (ack.chaddr, play.now + int.from_bytes(ack.options[Code.LEASE_TIME], "big"))
            assert play.disk[ack.yiaddr].end >= promised[ack.yiaddr][1], "the disk does not cover the promise"
        if isinstance(step, bytes) and step[242] in (MessageKind.RELEASE, MessageKind.DECLINE):
            promised = {ip: (owner, until) for ip, (owner, until) in promised.items() if owner != step[28:34]}


def _take(play: Playbook, step: bytes | str) -> list:
    match step:
        case "kill":
            play.kill_and_restart()
        case "stick":
            play.stuck = True
        case "recover":
            return play.disk_recovers()
        case "wait":
            play.pass_time(LEASE * 0.4)
        case bytes():
            return play.receive(step)
    return []
