"""The wire form: nothing that comes in breaks it, what goes out is read the same by others."""

from contextlib import suppress
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP

from appliance.netboot.dhcp.options import Code, DecodeError, decode_encapsulated, decode_options, encode_option
from appliance.netboot.dhcp.packet import (
    BOOTREPLY,
    BOOTREQUEST,
    DEFAULT_REPLY,
    MAGIC_COOKIE,
    MIN_REPLY,
    Packet,
    decode,
    encode,
)

MAC = b"\x52\x54\x00\x00\x00\x01"
FIXED = 240

ips = st.integers(0, 2**32 - 1).map(IPv4Address)
ordinary = st.integers(1, 254).filter(lambda code: code not in (Code.OVERLOAD, Code.RELAY_AGENT))
small_options = st.dictionaries(ordinary, st.binary(max_size=20), max_size=10)
packets = st.builds(
    Packet,
    op=st.sampled_from([BOOTREQUEST, BOOTREPLY]),
    xid=st.integers(0, 2**32 - 1),
    chaddr=st.binary(min_size=6, max_size=6),
    hops=st.integers(0, 255),
    secs=st.integers(0, 65535),
    flags=st.integers(0, 65535),
    ciaddr=ips,
    yiaddr=ips,
    siaddr=ips,
    giaddr=ips,
    sname=st.binary(max_size=63).filter(lambda text: b"\0" not in text),
    file=st.binary(max_size=127).filter(lambda text: b"\0" not in text),
    options=small_options,
)


def with_options(area: bytes, *, sname: bytes = b"", file: bytes = b"") -> bytes:
    head = encode(Packet(op=BOOTREQUEST, xid=7, chaddr=MAC))[: FIXED - len(MAGIC_COOKIE) - 192]
    return head + sname.ljust(64, b"\0") + file.ljust(128, b"\0") + MAGIC_COOKIE + area


@given(st.binary(max_size=700))
def test_whatever_comes_in_raises_nothing_but_its_own_error(data: bytes) -> None:
    for candidate in (data, with_options(data)):
        with suppress(DecodeError):
            decode(candidate)


@given(packets, st.data())
def test_damaged_packets_raise_nothing_but_their_own_error(packet: Packet, data: st.DataObject) -> None:
    wire = bytearray(encode(packet))
    for _ in range(3):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    with suppress(DecodeError):
        decode(bytes(wire[: data.draw(st.integers(0, len(wire)))]))


@given(packets)
def test_what_is_written_reads_the_same(packet: Packet) -> None:
    wire = encode(packet)
    assert MIN_REPLY <= len(wire) <= DEFAULT_REPLY
    assert decode(wire) == packet


@given(packets)
def test_scapy_reads_the_same_fields(packet: Packet) -> None:
    theirs = BOOTP(encode(packet))
    assert (theirs.op, theirs.xid, theirs.secs, theirs.hops) == (packet.op, packet.xid, packet.secs, packet.hops)
    assert theirs.yiaddr == str(packet.yiaddr)
    assert theirs.giaddr == str(packet.giaddr)
    assert theirs.chaddr[:6] == packet.chaddr
    assert int(theirs.flags) == packet.flags


def test_packet_written_by_scapy() -> None:
    theirs = BOOTP(chaddr=MAC, xid=99, flags=0x8000) / DHCP(
        options=[("message-type", "discover"), ("hostname", b"node1"), ("requested_addr", "10.0.0.5"), "end"]
    )
    packet = decode(bytes(theirs))
    assert (packet.xid, packet.chaddr, packet.broadcast) == (99, MAC, True)
    assert packet.options == {53: b"\x01", 12: b"node1", 50: bytes([10, 0, 0, 5])}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "0 octets"),
        (bytes(239), "239 octets"),
        (bytes(300), "magic"),
        (with_options(b"\x35\x01\x01")[:2] + b"\x11" + with_options(b"")[3:], "17 octets"),
        (with_options(b"\x35"), "no length"),
        (with_options(b"\x0c\x0aabc"), "cut short"),
        (with_options(b"\x34\x01\x04\xff"), "overload"),
        (with_options(b"\x34\x00\xff"), "overload"),
        (with_options(b"\x34\x01\x01\xff", file=b"\x0c\xffx"), "cut short"),
    ],
)
def test_error_says_what_is_wrong(data: bytes, says: str) -> None:
    with pytest.raises(DecodeError, match=says):
        decode(data)


def test_missing_end_mark_and_padding_are_tolerated() -> None:
    assert decode_options(b"\0\0\x35\x01\x01\0") == {53: b"\x01"}


def test_nothing_is_read_after_the_end_mark() -> None:
    assert decode_options(b"\x35\x01\x01\xff\x0c\xff") == {53: b"\x01"}


@given(st.binary(min_size=256, max_size=900))
def test_long_option_is_split_and_joined(value: bytes) -> None:
    wire = encode_option(43, value)
    assert wire[:2] == b"\x2b\xff"
    assert decode_options(wire) == {43: value}


def test_options_in_file_and_sname_are_joined_in_that_order() -> None:
    data = with_options(b"\x34\x01\x03\x3d\x02ab\xff", file=b"\x3d\x02cd\xff", sname=b"\x3d\x02ef\x0c\x01n\xff")
    packet = decode(data)
    assert packet.options == {61: b"abcdef", 12: b"n"}
    assert (packet.file, packet.sname) == (b"", b"")


def test_fields_are_kept_when_they_hold_no_options() -> None:
    packet = decode(with_options(b"\x34\x01\x01\xff", file=b"\x0c\x01n\xff", sname=b"host"))
    assert (packet.file, packet.sname) == (b"", b"host")


def test_relay_information_comes_last() -> None:
    wire = encode(Packet(BOOTREPLY, 1, MAC, options={53: b"\x02", 82: b"\x01\x02ab", 54: b"abcd"}))
    assert wire.rstrip(b"\0").endswith(b"\x52\x04\x01\x02ab\xff")


def test_too_many_options_go_into_the_fields_and_the_last_ones_are_left_out() -> None:
    options = {53: b"\x02", **{code: bytes([code]) * 60 for code in range(100, 112)}, 82: b"\x01\x01x"}
    wire = encode(Packet(BOOTREPLY, 1, MAC, options=options))
    assert len(wire) <= DEFAULT_REPLY
    packet = decode(wire)
    assert packet.options[53] == b"\x02"
    assert packet.options[82] == b"\x01\x01x"
    assert set(range(100, 107)) <= set(packet.options) < set(options)
    assert all(packet.options[code] == options[code] for code in packet.options)


def test_boot_file_is_not_overwritten_by_options() -> None:
    options = {53: b"\x02", **{code: bytes(60) for code in range(100, 112)}}
    packet = decode(encode(Packet(BOOTREPLY, 1, MAC, file=b"undionly.kpxe", options=options)))
    assert packet.file == b"undionly.kpxe"


def test_larger_limit_leaves_room_for_all() -> None:
    options = {53: b"\x02", **{code: bytes(60) for code in range(100, 112)}}
    packet = decode(encode(Packet(BOOTREPLY, 1, MAC, options=options), limit=1472))
    assert set(packet.options) == set(options)


@given(st.binary(max_size=60))
def test_encapsulated_options_never_raise(value: bytes) -> None:
    decode_encapsulated(value)
