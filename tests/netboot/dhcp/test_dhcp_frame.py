"""Frames built by hand, read by scapy."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether

from appliance.netboot.dhcp.frame import Endpoint, arp_probe, arp_sender, udp_frame

OURS = Endpoint("52:54:00:00:00:fe", IPv4Address("10.77.0.1"), 67)
THEIRS = Endpoint("52:54:00:00:00:01", IPv4Address("10.77.0.50"), 68)


@given(st.binary(min_size=1, max_size=600))
def test_scapy_reads_the_frame_and_agrees_with_its_checksums(payload: bytes) -> None:
    frame = udp_frame(OURS, THEIRS, payload)
    theirs = Ether(frame)
    assert (theirs.src, theirs.dst) == (OURS.mac, THEIRS.mac)
    assert (theirs[IP].src, theirs[IP].dst, theirs[IP].ttl) == ("10.77.0.1", "10.77.0.50", 64)
    assert (theirs[UDP].sport, theirs[UDP].dport) == (67, 68)
    assert bytes(theirs[UDP].payload) == payload
    sums = theirs[IP].chksum, theirs[UDP].chksum
    del theirs[IP].chksum, theirs[UDP].chksum
    again = Ether(bytes(theirs))
    assert sums == (again[IP].chksum, again[UDP].chksum)


def test_probe_claims_no_address() -> None:
    theirs = Ether(arp_probe(OURS.mac, THEIRS.address))
    assert theirs.dst == "ff:ff:ff:ff:ff:ff"
    assert (theirs[ARP].op, theirs[ARP].psrc, theirs[ARP].pdst) == (1, "0.0.0.0", "10.77.0.50")
    assert theirs[ARP].hwsrc == OURS.mac


@pytest.mark.parametrize("operation", ["is-at", "who-has"])
def test_sender_of_requests_and_replies_is_found(operation: str) -> None:
    arp = ARP(op=operation, hwsrc=THEIRS.mac, psrc="10.77.0.50", pdst="10.77.0.1")
    frame = bytes(Ether(src=THEIRS.mac, dst=OURS.mac) / arp)
    assert arp_sender(frame) == (THEIRS.mac, THEIRS.address)
    assert arp_sender(frame + bytes(18)) == (THEIRS.mac, THEIRS.address)


@given(st.binary(max_size=80))
def test_other_frames_are_nobody(frame: bytes) -> None:
    assert arp_sender(frame) is None or frame[12:14] == b"\x08\x06"
