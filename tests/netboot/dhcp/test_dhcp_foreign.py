"""What is asked of other DHCP servers, read by an independent reader, and whose answers count."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from appliance.netboot.dhcp.foreign import discover_frame, giving_server, throw_away_mac
from appliance.netboot.dhcp.frame import udp_payload

CARD, MAC = "52:54:00:00:00:01", "02:01:02:03:04:05"


def reply(kind="offer", yiaddr="10.77.0.150", server="10.77.0.2", op=2, port=68, source="10.77.0.2", more=()):
    named = [("server_id", server)] if server else []
    frame = (
        Ether(src="52:54:00:00:00:09", dst="ff:ff:ff:ff:ff:ff")
        / IP(src=source, dst="255.255.255.255")
        / UDP(sport=67, dport=port)
        / BOOTP(op=op, yiaddr=yiaddr, chaddr=bytes.fromhex("020102030405"))
        / DHCP(options=[("message-type", kind), *named, *more, "end"])
    )
    return bytes(frame)


def test_a_question_is_that_of_an_ordinary_computer_and_asks_for_a_broadcast():
    asked = Ether(discover_frame(CARD, MAC, 0x1234))
    assert (asked.src, asked.dst) == (CARD, "ff:ff:ff:ff:ff:ff"), "switches see no made-up address"
    assert (asked[IP].src, asked[IP].dst, asked[UDP].sport, asked[UDP].dport) == ("0.0.0.0", "255.255.255.255", 68, 67)
    assert (asked[BOOTP].xid, asked[BOOTP].chaddr[:6].hex(":"), int(asked[BOOTP].flags)) == (0x1234, MAC, 0x8000)
    options = dict(each[:2] for each in asked[DHCP].options if isinstance(each, tuple))
    assert options["message-type"] == 1
    assert "vendor_class_id" not in options


def test_a_throw_away_address_is_local_and_of_one_machine():
    assert throw_away_mac(b"\x01\x02\x03\x04\x05") == MAC


@pytest.mark.parametrize("kind", ["offer", "ack"])
def test_who_gives_an_address_to_anybody_is_another_server(kind):
    assert giving_server(reply(kind)) == IPv4Address("10.77.0.2")


def test_a_relayed_answer_names_its_server_and_one_without_a_name_is_known_by_its_address():
    assert giving_server(reply(server="10.99.0.1", source="10.77.0.254")) == IPv4Address("10.99.0.1")
    assert giving_server(reply(server=None, source="10.77.0.3")) == IPv4Address("10.77.0.3")


@pytest.mark.parametrize(
    "frame",
    [
        reply(yiaddr="0.0.0.0", more=[("vendor_class_id", b"PXEClient")]),
        reply("nak", yiaddr="0.0.0.0"),
        reply(op=1),
        reply(port=67),
        reply()[:60],
        b"",
    ],
    ids=["proxy", "nak", "request", "to a server", "cut off", "nothing"],
)
def test_who_gives_none_is_no_other_server(frame):
    assert giving_server(frame) is None


def test_a_fragment_is_no_datagram():
    frame = Ether(reply())
    frame[IP].frag = 100
    assert udp_payload(bytes(frame), 68) is None
    frame[IP].frag, frame[IP].flags = 0, "MF"
    assert udp_payload(bytes(frame), 68) is None


def test_options_of_the_ip_header_are_passed_over():
    frame = Ether(reply())
    frame[IP].options = b"\x94\x04\x00\x00"
    del frame[IP].ihl, frame[IP].len, frame[IP].chksum
    assert giving_server(bytes(frame)) == IPv4Address("10.77.0.2")


@given(st.binary(max_size=400), st.integers(0, 60))
def test_no_frame_raises(noise, at):
    good = reply()
    giving_server(noise)
    giving_server(good[:at] + noise)
    giving_server(good[:at] + noise + good[at + len(noise) :])
