"""Frames of servers and switches as values, whatever is wrong with them."""

from ipaddress import IPv4Address

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, LLC, SNAP, STP, Dot3, Ether
from scapy.packet import Raw

from appliance.netboot.dhcp.request import Arrival, parse_request
from appliance.probe.kinds import BY_NAME, KINDS
from appliance.probe.observe import frames, names
from appliance.probe.observe.discover import discover, made_up_mac
from appliance.probe.observed import Answer

MAC, SWITCH = "02:00:00:00:00:01", "02:00:00:00:00:0b"
OFFER = [
    ("message-type", "offer"),
    ("server_id", "10.77.0.1"),
    ("router", "10.77.0.253", "10.77.0.254"),
    ("name_server", "10.77.0.1"),
    ("domain", b"lab.test"),
    ("lease_time", 3600),
    (67, b"a-file\0"),
    "end",
]


def answer(options, **values):
    head = (
        Ether(src=MAC, dst="ff:ff:ff:ff:ff:ff") / IP(src="10.77.0.9", dst="255.255.255.255") / UDP(sport=67, dport=68)
    )
    whole = head / BOOTP(op=2, xid=7, yiaddr="10.77.0.50", **values) / DHCP(options=options)
    return Ether(bytes(whole))


def test_an_offer():
    packet = answer(OFFER, siaddr="10.77.0.2", file=b"field\0rubbish")
    assert frames.offered_to(packet) == 7
    found = frames.offer(packet, "bios", 0.5)
    assert (found.server, found.mac, found.address) == ("10.77.0.1", MAC, "10.77.0.50")
    assert (found.next_server, found.tftp_server, found.boot_file) == ("10.77.0.2", "10.77.0.2", "a-file")
    assert (found.routers, found.dns) == (("10.77.0.253", "10.77.0.254"), ("10.77.0.1",))
    assert (found.domain, found.lease_seconds) == ("lab.test", 3600)


def test_the_field_counts_where_the_option_is_missing():
    found = frames.offer(answer([("message-type", "offer"), "end"], file=b"field"), "bios", 0.5)
    assert (found.server, found.boot_file, found.tftp_server) == ("10.77.0.9", "field", "10.77.0.9")


@pytest.mark.parametrize(
    "packet",
    [
        answer([("message-type", "ack"), "end"]),
        answer(["end"]),
        answer([]),
        discover(BY_NAME["bios"], MAC, 7),
        Raw(b"short"),
        Ether(src=MAC) / ARP(op=2, psrc="10.77.0.1"),
    ],
)
def test_what_is_no_offer(packet):
    assert frames.offered_to(packet) is None


@pytest.mark.parametrize("cut", range(14, 330, 7))
def test_a_broken_offer_breaks_nothing(cut):
    packet = Ether(bytes(answer(OFFER))[:cut])
    if frames.offered_to(packet) is not None:
        frames.offer(packet, "bios", 0.0)
    assert frames.bpdu(packet) is None


def switch_says(**values):
    tree = STP(bridgemac=SWITCH, rootmac=MAC, fwddelay=15, hellotime=2, **values)
    return Dot3(bytes(Dot3(src=SWITCH, dst="01:80:c2:00:00:00") / LLC(dsap=0x42, ssap=0x42, ctrl=3) / tree))


def test_spanning_tree():
    said = frames.bpdu(switch_says())
    assert said is not None
    assert (said.bridge, said.root, said.forward_delay, said.hello) == (SWITCH, MAC, 15.0, 2.0)
    assert (said.rapid, said.forwarding, said.role) == (False, None, "")


@pytest.mark.parametrize(
    ("flags", "forwarding", "role"), [(0x3C, True, "designated"), (0x1C, False, "designated"), (0x28, True, "root")]
)
def test_rapid_spanning_tree(flags, forwarding, role):
    said = frames.bpdu(switch_says(version=2, bpdutype=2, bpduflags=flags))
    assert said is not None
    assert (said.rapid, said.forwarding, said.role) == (True, forwarding, role)


def test_spanning_tree_per_vlan():
    tree = bytes(STP(bridgemac=SWITCH, rootmac=MAC, fwddelay=15))
    frame = (
        Dot3(src=SWITCH, dst="01:00:0c:cc:cc:cd")
        / LLC(dsap=0xAA, ssap=0xAA, ctrl=3)
        / SNAP(OUI=0xC, code=0x10B)
        / Raw(tree)
    )
    said = frames.bpdu(Dot3(bytes(frame)))
    assert said is not None
    assert said.bridge == SWITCH


def test_a_change_of_topology_is_no_state():
    assert frames.bpdu(switch_says(bpdutype=0x80)) is None


def test_who_has_an_address():
    said = Ether(src=MAC) / ARP(op=2, hwsrc=MAC, psrc="10.77.0.1")
    assert frames.answers_for(said, "10.77.0.1") == MAC
    assert frames.answers_for(said, "10.77.0.2") is None
    assert frames.answers_for(Ether() / ARP(op=1, psrc="10.77.0.1"), "10.77.0.1") is None


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_discover_says_what_firmware_says(kind):
    packet = Ether(bytes(discover(kind, MAC, 7)))
    options = {each[0]: each[1] for each in packet[DHCP].options if isinstance(each, tuple)}
    assert (packet.src, packet[BOOTP].xid, packet[BOOTP].flags.B) == (MAC, 7, True)
    assert options["message-type"] == 1
    assert options.get("vendor_class_id", b"") == kind.vendor_class
    assert ("user_class" in options, 175 in options) == (kind.name == "ipxe",) * 2
    assert packet[BOOTP].chaddr[:6].hex(":") == MAC
    arrival = Arrival("br0", IPv4Address("10.77.0.1"), IPv4Address("0.0.0.0"), IPv4Address("255.255.255.255"))
    assert parse_request(bytes(packet[UDP].payload), arrival).is_probe, "our server knows what it is"


def test_the_mac_is_a_local_one():
    for _ in range(50):
        first = int(made_up_mac()[:2], 16)
        assert first & 3 == 2


ASKED = Answer("10.77.0.1", "udp", "a.test", "A")


def test_answers_of_dns():
    said = DNS(id=5, qr=1, qd=DNSQR(qname="a.test"), an=[DNSRR(rrname="a.test", rdata="10.77.0.1")])
    assert names._read(bytes(said), 5, ASKED).values == ("10.77.0.1",)
    assert names._read(bytes(said), 6, ASKED).words == "the answer is to something else"
    assert names._read(bytes(DNS(id=5, qr=1, rcode=5)), 5, ASKED).code == "REFUSED"


@pytest.mark.parametrize("cut", range(0, 50, 3))
def test_a_broken_answer_of_dns_breaks_nothing(cut):
    said = DNS(id=5, qr=1, qd=DNSQR(qname="a.test"), an=[DNSRR(rrname="a.test", rdata="10.77.0.1")])
    names._read(bytes(said)[:cut], 5, ASKED)
