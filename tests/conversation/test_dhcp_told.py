"""What clients are told beyond their address: options that users set, for whom, and in which order."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from dhcp_playbook import MAC, OTHER_MAC, SUBNET, Playbook, address, message

from appliance.dhcp_options import read_options
from appliance.netboot.dhcp.options import Code, MessageKind
from appliance.netboot.dhcp.packet import DEFAULT_REPLY, Packet, decode
from appliance.netboot.dhcp.request import Arrival

MTU, SEARCH, ROUTES, VENDOR, TFTP, FILE, SITE = 26, 119, 121, 43, 66, 67, 224
OPTIONS = {
    "mtu": "9000",
    "domain-search": "lab.test, example.com",
    "static-routes": "10.0.0.0/8 via 10.77.0.254",
    "vendor-information": "0x0104c0a80001",
    "tftp-server-name": "phones.lab.test",
    "224": "0x0a4d0001",
    "ntp-servers": "10.77.0.2, 10.77.0.3",
}
PXE = {Code.VENDOR_CLASS: b"PXEClient:Arch:00000:UNDI:002001", Code.ARCHITECTURE: b"\0\0"}


@pytest.fixture
def play() -> Playbook:
    options = tuple(read_options(OPTIONS, of_subnet=True).items())
    return Playbook(subnet=replace(SUBNET, ntp=(), options=options))


def offered(play: Playbook, *wanted: int, mac: str = MAC, **more: bytes) -> Packet:
    options = {Code.PARAMETER_LIST: bytes(wanted)} if wanted else {}
    (offer,) = play.discover(mac, options=options | {getattr(Code, name): value for name, value in more.items()})
    return offer


class TestOfTheSubnet:
    def test_who_asks_is_told(self, play: Playbook) -> None:
        told = offered(play, MTU, SEARCH, SITE, Code.NTP_SERVERS).options
        assert told[MTU] == (9000).to_bytes(2, "big")
        assert told[SEARCH] == b"\x03lab\x04test\x00\x07example\x03com\x00"
        assert told[SITE] == bytes([10, 77, 0, 1])
        assert told[Code.NTP_SERVERS] == address(2).packed + address(3).packed

    def test_who_asks_for_something_else_is_not(self, play: Playbook) -> None:
        told = offered(play, Code.ROUTER).options
        assert not {MTU, SEARCH, SITE, ROUTES, TFTP, VENDOR} & set(told)
        assert told[Code.SUBNET_MASK] == bytes([255, 255, 255, 0])

    def test_who_does_not_say_what_it_wants_is_told_all(self, play: Playbook) -> None:
        assert {MTU, SEARCH, SITE, ROUTES, TFTP, VENDOR} <= set(offered(play).options)

    @pytest.mark.parametrize("kind", ["ack", "inform"])
    def test_acknowledgements_tell_the_same(self, play: Playbook, kind: str) -> None:
        wanted = {Code.PARAMETER_LIST: bytes([MTU])}
        if kind == "ack":
            (ack,) = play.select(play.discover()[0].yiaddr, options=wanted)
        else:
            uses = address(7)
            inform = message(MessageKind.INFORM, ciaddr=uses, options=wanted)
            (ack,) = play.receive(inform, Arrival("br0", address(1), uses, address(1)))
        assert ack.options[MTU] == (9000).to_bytes(2, "big")

    def test_firmware_is_told_nothing_of_others_ways_to_boot(self, play: Playbook) -> None:
        told = offered(play, VENDOR, TFTP, FILE, VENDOR_CLASS=PXE[Code.VENDOR_CLASS], ARCHITECTURE=b"\0\0").options
        assert VENDOR not in told
        assert told[TFTP] == b"10.77.0.1"
        assert told[FILE] == b"undionly.kpxe"

    def test_a_telephone_is_told_where_its_files_are(self, play: Playbook) -> None:
        assert offered(play, TFTP).options[TFTP] == b"phones.lab.test"

    def test_who_reads_static_routes_has_the_way_out_among_them(self, play: Playbook) -> None:
        """RFC 3442: such a client ignores the router option."""
        routes = offered(play, ROUTES, Code.ROUTER).options[ROUTES]
        assert routes == bytes([8, 10, 10, 77, 0, 254]) + bytes([0, 10, 77, 0, 1])

    def test_a_way_out_among_them_is_left_alone(self) -> None:
        given = read_options({"static-routes": "default via 10.77.0.9"}, of_subnet=True)
        play = Playbook(subnet=replace(SUBNET, options=tuple(given.items())))
        assert offered(play, ROUTES).options[ROUTES] == bytes([0, 10, 77, 0, 9])


class TestOrder:
    def test_what_is_asked_for_first_stands_first(self, play: Playbook) -> None:
        """RFC 2132 section 9.8."""
        codes = [code for code in offered(play, SITE, Code.NTP_SERVERS, MTU).options if code in (SITE, MTU, 42)]
        assert codes == [SITE, Code.NTP_SERVERS, MTU]

    def test_the_mask_stands_before_the_router_all_the_same(self, play: Playbook) -> None:
        """RFC 2132 section 3.3."""
        codes = list(offered(play, Code.ROUTER, Code.SUBNET_MASK).options)
        assert codes.index(Code.SUBNET_MASK) < codes.index(Code.ROUTER)

    def test_what_does_not_fit_goes_into_unused_fields_then_the_last_is_left_out(self) -> None:
        long = {str(code): "x" * 100 for code in range(224, 232)}
        given = tuple(read_options(long, of_subnet=True).items())
        play = Playbook(subnet=replace(SUBNET, options=given))
        (offer,) = play.discover(options={Code.PARAMETER_LIST: bytes(range(224, 232))})
        assert len(play.sent[-1].data) <= DEFAULT_REPLY
        assert {224, 225, 226} <= set(offer.options)
        assert 231 not in offer.options
        room = {Code.PARAMETER_LIST: bytes(range(224, 232)), Code.MAX_MESSAGE_SIZE: (1500).to_bytes(2, "big")}
        (offer,) = play.discover(options=room)
        assert set(range(224, 232)) <= set(offer.options)

    def test_a_value_of_more_than_255_octets_is_split_and_joined_again(self) -> None:
        """RFC 3396."""
        given = tuple(read_options({"224": "y" * 300}, of_subnet=True).items())
        play = Playbook(subnet=replace(SUBNET, options=given))
        wanted = {Code.PARAMETER_LIST: bytes([224]), Code.MAX_MESSAGE_SIZE: (1400).to_bytes(2, "big")}
        (offer,) = play.discover(options=wanted)
        assert offer.options[224] == b"y" * 300
        assert bytes([224, 255]) + b"y" * 255 + bytes([224, 45]) in play.sent[-1].data
        assert decode(play.sent[-1].data).options[224] == b"y" * 300


class TestOfAMachine:
    def test_its_own_go_before_those_of_the_subnet(self, play: Playbook) -> None:
        own = read_options({"mtu": "1400", "routers": "10.77.0.254", "host-name": "db1"}, of_subnet=False)
        play.responder.set_options({MAC: own})
        told = offered(play, MTU, SEARCH, Code.ROUTER).options
        assert told[MTU] == (1400).to_bytes(2, "big")
        assert told[Code.ROUTER] == IPv4Address("10.77.0.254").packed
        assert SEARCH in told
        assert offered(play, MTU, mac=OTHER_MAC).options[MTU] == (9000).to_bytes(2, "big")

    def test_it_is_told_news_when_it_renews(self, play: Playbook) -> None:
        held = play.obtain()
        play.responder.set_options({MAC: read_options({"mtu": "1400"}, of_subnet=False)})
        renew = message(MessageKind.REQUEST, ciaddr=held, options={Code.PARAMETER_LIST: bytes([MTU])})
        (ack,) = play.receive(renew, Arrival("br0", address(1), held, address(1)))
        assert ack.options[MTU] == (1400).to_bytes(2, "big")

    def test_it_is_told_nothing_more_once_they_are_taken_away(self, play: Playbook) -> None:
        play.responder.set_options({MAC: read_options({"225": "x"}, of_subnet=False)})
        assert 225 in offered(play, 225).options
        play.responder.set_options({})
        assert 225 not in offered(play, 225).options
