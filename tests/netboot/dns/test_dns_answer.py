"""Answers that need no socket: names may hold any octets (RFC 2181 section 11), and nothing claims to be the root."""

import struct
from ipaddress import IPv4Address, IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from appliance.netboot.dns.answer import from_zone, kept_inside, without_asking
from appliance.netboot.dns.message import HEADER, parse_query, read_question, read_records
from appliance.netboot.dns.records import Type
from appliance.netboot.dns.zone import Zone

NOW = 1_000_000.0
ZONE = Zone("lab.test", [IPv4Network("10.77.0.0/24")], "appliance", [IPv4Address("10.77.0.1")], 300)
ENDS = [(), (b"lab", b"test"), (b"localhost",), (b"onion",), (b"10", b"in-addr", b"arpa")]
odd_labels = st.binary(min_size=1, max_size=63) | st.sampled_from([b"\xff" * 63, b"..", b"\\", b"\\046", b"x.lab"])


def query(labels, qtype):
    wire = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return parse_query(struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + wire + struct.pack("!HH", qtype, 1))


@given(st.lists(odd_labels, max_size=2), st.sampled_from(ENDS), st.sampled_from([Type.A, Type.AAAA, Type.PTR]))
def test_names_of_any_octets_are_answered_under_that_name(labels, end, qtype):
    asked = query([*labels, *end], qtype)
    reply = from_zone(asked, ZONE, NOW, recursion_available=True) or without_asking(asked, recursion=True)
    if reply is None:
        return
    question, offset = read_question(reply.data)
    _, _, _, answers, authorities, _ = HEADER.unpack_from(reply.data)
    names = [record.name for record in read_records(reply.data, offset, answers + authorities)]
    assert question.wire == asked.question.wire
    assert names
    assert set(names[:answers]) <= {question.name}
    assert all(question.name == name or question.name.endswith(f".{name}") for name in names[answers:])


def test_the_root_is_nobodys_here():
    assert kept_inside("", Type.A) is None
    assert kept_inside("printer", Type.A) == "printer"
