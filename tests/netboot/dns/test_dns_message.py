"""The message reader takes dnslib's writing and survives everything else."""

import contextlib
import struct

import dnslib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.netboot.dns.message import AA, RA, MessageError, Sections, fitted, parse_query, read_name, response
from appliance.netboot.dns.records import Rcode

HEADER = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0)


def rejected(data):
    with pytest.raises(MessageError) as caught:
        parse_query(data)
    return caught.value.rcode


def test_a_query_made_by_dnslib():
    record = dnslib.DNSRecord.question("WeB1.Lab.test", "AAAA")
    record.add_ar(dnslib.EDNS0(udp_len=4096, flags="do"))
    query = parse_query(record.pack())
    assert (query.question.name, query.question.qtype, query.question.qclass) == ("web1.lab.test", 28, 1)
    assert query.question.wire[:5] == b"\4WeB1"
    assert query.edns.dnssec_ok
    assert query.udp_limit == 1232
    assert query.wants_recursion


@pytest.mark.parametrize(("size", "limit"), [(0, 512), (512, 512), (700, 700), (1232, 1232), (65535, 1232)])
def test_udp_limit(size, limit):
    record = dnslib.DNSRecord.question("a")
    record.add_ar(dnslib.EDNS0(udp_len=size))
    assert parse_query(record.pack()).udp_limit == limit


def test_what_is_too_long_keeps_its_code_and_whose_word_it_is():
    query = parse_query(dnslib.DNSRecord.question("a").pack())
    whole = response(query, Rcode.NXDOMAIN, AA | RA, Sections(b"x" * 600, 1))
    assert fitted(query, whole, len(whole)) is whole
    short = dnslib.DNSRecord.parse(fitted(query, whole, len(whole) - 1))
    assert (short.header.tc, short.header.aa, short.header.ra, short.header.get_rcode()) == (1, 1, 1, Rcode.NXDOMAIN)
    assert short.rr == []


@pytest.mark.parametrize("data", [b"", b"x" * 11])
def test_less_than_a_header_is_not_answered(data):
    assert rejected(data) is None


def test_responses_are_not_answered():
    assert rejected(struct.pack("!HHHHHH", 7, 0x8100, 1, 0, 0, 0) + b"\0\0\1\0\1") is None


@pytest.mark.parametrize("opcode", [1, 2, 4, 5, 6, 15])
def test_other_opcodes_are_not_implemented(opcode):
    assert rejected(struct.pack("!HHHHHH", 7, opcode << 11, 1, 0, 0, 0) + b"\0\0\1\0\1") == Rcode.NOTIMP


OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!HHHHHH", 7, 0, 0, 0, 0, 0),
        struct.pack("!HHHHHH", 7, 0, 2, 0, 0, 0) + b"\0\0\1\0\1" * 2,
        struct.pack("!HHHHHH", 7, 0, 65535, 0, 0, 0),
        HEADER,
        HEADER + b"\5ab",
        HEADER + b"\1a",
        HEADER + b"\1a\0\0",
        HEADER + b"\x40" + b"a" * 64 + b"\0\0\1\0\1",
        HEADER + b"\x80a\0\0\1\0\1",
        HEADER + b"\xc0",
        HEADER + b"\xc0\x0c\0\1\0\1",
        HEADER + b"\1a\xc0\x0c\0\1\0\1",
        HEADER + b"\xc0\x20\0\1\0\1",
        HEADER + b"\xc0\x00\0\1\0\1",
        HEADER + (b"\x3f" + b"a" * 63) * 3 + b"\x3e" + b"a" * 62 + b"\0\0\1\0\1",
        HEADER + b"\x3f" + (b"a" * 63 + b"\x3f") * 4 + b"a" * 63 + b"\0\0\1\0\1",
        HEADER[:10] + b"\0\1" + b"\0\0\1\0\1",
        HEADER[:10] + b"\0\1" + b"\0\0\1\0\1" + OPT[:-1] + b"\x09",
        HEADER[:10] + b"\0\2" + b"\0\0\1\0\1" + OPT + OPT,
        HEADER[:10] + b"\0\1" + b"\0\0\1\0\1" + b"\1a" + OPT,
        HEADER[:10] + b"\xff\xff" + b"\0\0\1\0\1",
    ],
)
def test_broken_queries_are_format_errors(data):
    assert rejected(data) == Rcode.FORMERR


def test_the_longest_name_is_taken():
    wire = b"".join(bytes([63]) + b"a" * 63 for _ in range(3)) + bytes([61]) + b"a" * 61 + b"\0"
    assert len(wire) == 255
    assert len(parse_query(HEADER + wire + b"\0\1\0\1").question.name) == 253


def test_pointer_chains_are_followed_without_recursion():
    # A pointer to a pointer to a pointer: 2,000 of them would break a recursive reader.
    chain = b"\1a\0" + b"".join(struct.pack("!H", 0xC000 | at) for at in (12, *range(15, 4015, 2)))
    data = bytes(12) + chain
    assert read_name(data, len(data) - 2) == ("a", len(data))


@given(st.binary(max_size=200))
def test_no_bytes_crash_it(data):
    with contextlib.suppress(MessageError):
        parse_query(data)


@given(st.binary(max_size=100), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
def test_no_body_crashes_it(body, answers, authorities, additionals):
    with contextlib.suppress(MessageError):
        parse_query(struct.pack("!HHHHHH", 1, 0, 1, answers, authorities, additionals) + body)
