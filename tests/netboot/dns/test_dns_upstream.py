"""What is believed of an upstream's answer, and what is kept in the cache."""

import struct

import dnslib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.netboot.dns.cache import AnswerCache
from appliance.netboot.dns.message import parse_query
from appliance.netboot.dns.upstream import (
    Asked,
    Useless,
    Verified,
    asked_by,
    encode_question,
    passed_on,
    verify,
)

ID = 4242


def client_query(name="www.Example.com", qtype="A", edns=False):
    record = dnslib.DNSRecord.question(name, qtype)
    if edns:
        record.add_ar(dnslib.EDNS0(udp_len=1232))
    return parse_query(record.pack())


def answer_with(*zone, name="www.example.com", qtype="A", auth="", rcode=0, **flags):
    record = dnslib.DNSRecord(
        dnslib.DNSHeader(id=ID, qr=1, ra=1, rcode=rcode, **flags),
        q=dnslib.DNSQuestion(name, getattr(dnslib.QTYPE, qtype)),
    )
    for line in zone:
        record.add_answer(*dnslib.RR.fromZone(line))
    for line in filter(None, [auth]):
        record.add_auth(*dnslib.RR.fromZone(line))
    return record


def checked(record, query=None):
    data = record if isinstance(record, bytes) else record.pack()
    return verify(data, asked_by(query or client_query()), ID, 100.0)


SOA = "example.com. 500 SOA ns.example.com. root.example.com. 1 2 3 4 60"


def test_the_question_is_sent_in_lower_case_with_the_id():
    sent = dnslib.DNSRecord.parse(encode_question(asked_by(client_query()), ID))
    assert (sent.header.id, sent.header.rd, str(sent.q.qname)) == (ID, 1, "www.example.com.")
    assert sent.ar[0].rclass == 1232


def test_case_does_not_make_questions_differ():
    assert asked_by(client_query("A.example.com")) == asked_by(client_query("a.EXAMPLE.com"))
    assert asked_by(client_query("a.example.com", "AAAA")) != asked_by(client_query("a.example.com"))


def test_an_answer_is_passed_on_in_the_case_of_the_client_with_what_is_left_of_the_ttl():
    verified = checked(answer_with("www.example.com. 300 A 192.0.2.1", "www.example.com. 200 A 192.0.2.2"))
    assert verified.ttl == 200
    query = client_query(edns=True)
    passed = dnslib.DNSRecord.parse(passed_on(query, verified, 150.9))
    assert str(passed.q.qname) == "www.Example.com."
    assert [(str(r.rname), r.ttl, str(r.rdata)) for r in passed.rr] == [
        ("www.Example.com.", 250, "192.0.2.1"),
        ("www.Example.com.", 150, "192.0.2.2"),
    ]
    assert (passed.header.aa, passed.header.ra, passed.header.id) == (0, 1, query.id)
    assert [record.rtype for record in passed.ar] == [41]


def test_alias_chains_are_believed():
    verified = checked(
        answer_with("www.example.com. 60 CNAME a.net.", "a.net. 60 CNAME b.org.", "b.org. 9 A 192.0.2.1")
    )
    assert (verified.sections.answers, verified.ttl) == (3, 9)


def test_records_about_other_names_make_an_answer_worthless():
    assert checked(answer_with("www.example.com. 60 A 192.0.2.1", "bank.test. 60 A 192.0.2.66")) is Useless.FOREIGN
    assert checked(answer_with("bank.test. 60 A 192.0.2.66")) is Useless.FOREIGN


def test_authority_and_additional_of_positive_answers_are_cut_off():
    record = answer_with("www.example.com. 60 A 192.0.2.1", auth="com. 9999 NS evil.test.")
    record.add_ar(*dnslib.RR.fromZone("evil.test. 9999 A 192.0.2.66"))
    passed = dnslib.DNSRecord.parse(passed_on(client_query(), checked(record), 100.0))
    assert (len(passed.rr), passed.auth, passed.ar) == (1, [], [])


@pytest.mark.parametrize("rcode", [0, 3])
def test_negative_answers_live_as_long_as_the_soa_says(rcode):
    verified = checked(answer_with(auth=SOA, rcode=rcode))
    assert (verified.rcode, verified.ttl, verified.sections.authorities) == (rcode, 60, 1)
    passed = dnslib.DNSRecord.parse(passed_on(client_query(), verified, 110.0))
    assert passed.auth[0].ttl == 490


@pytest.mark.parametrize(
    "auth", ["", "other.com. 500 SOA ns.other.com. root.other.com. 1 2 3 4 60", "example.com. 500 NS evil.test."]
)
def test_negative_answers_without_a_proper_soa_are_not_kept(auth):
    verified = checked(answer_with(auth=auth, rcode=3))
    assert (verified.ttl, verified.sections.authorities) == (0, 0)


def signature(owner, signer):
    """An RRSIG record; whether it is right is not ours to say."""
    rdata = bytes(18) + dnslib.DNSRecord.question(signer).pack()[12:-4] + b"proof"
    return dnslib.RR(owner, 46, ttl=500, rdata=dnslib.RD(rdata))


@pytest.mark.parametrize(("owner", "believed"), [("example.com", True), ("other.org", False)])
def test_a_name_that_stands_in_for_a_whole_zone_is_passed_on_where_that_is_above(owner, believed):
    """RFC 6672: a DNAME comes with the alias that follows from it."""
    record = answer_with("www.example.com. 300 CNAME www.example.net.", "www.example.net. 300 A 192.0.2.1")
    record.add_answer(dnslib.RR(owner, 39, ttl=300, rdata=dnslib.RD(b"\7example\3net\0")))
    verified = checked(record)
    assert (verified.sections.answers == 3) if believed else (verified is Useless.FOREIGN)


def test_a_soa_beside_records_of_other_zones_is_not_believed():
    record = answer_with(auth=SOA, rcode=3)
    record.add_auth(*dnslib.RR.fromZone("other.org. 500 NS evil.test."))
    verified = checked(record)
    assert (verified.ttl, verified.sections.authorities) == (0, 0)


@pytest.mark.parametrize(("signer", "kept"), [("example.com", 2), ("com", 2), ("other.org", 0)])
def test_only_a_zone_above_the_name_can_have_signed_what_is_not_there(signer, kept):
    record = answer_with(auth=SOA, rcode=3)
    record.add_auth(signature(signer, signer))
    asks = dnslib.DNSRecord.question("www.example.com")
    asks.add_ar(dnslib.EDNS0(flags="do", udp_len=1232))
    assert checked(record, parse_query(asks.pack())).sections.authorities == kept


def test_an_alias_to_nothing_is_negative():
    verified = checked(answer_with("www.example.com. 600 CNAME b.example.com.", auth=SOA, rcode=3))
    assert (verified.ttl, verified.sections.answers, verified.sections.authorities) == (60, 1, 1)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"id": ID + 1}, Useless.FOREIGN),
        ({"qr": 0}, Useless.FOREIGN),
        ({"tc": 1}, Useless.TRUNCATED),
        ({"rcode": 2}, Useless.UNWILLING),
        ({"rcode": 5}, Useless.UNWILLING),
        ({"rcode": 1}, Useless.PLAIN_ONLY),
        ({"rcode": 4}, Useless.PLAIN_ONLY),
    ],
)
def test_other_headers(change, verdict):
    record = answer_with("www.example.com. 60 A 192.0.2.1")
    for field, value in change.items():
        setattr(record.header, field, value)
    assert checked(record) is verdict


def test_extended_error_codes_are_seen():
    record = answer_with()
    record.add_ar(dnslib.EDNS0(ext_rcode=1))
    assert checked(record) is Useless.UNWILLING


@pytest.mark.parametrize("other", [("mail.example.com", "A"), ("www.example.com", "AAAA"), ("www.example.comx", "A")])
def test_answers_to_other_questions(other):
    name, qtype = other
    assert checked(answer_with(name=name, qtype=qtype)) is Useless.FOREIGN


def test_insane_ttls_are_tamed():
    record = answer_with("www.example.com. 60 A 192.0.2.1")
    record.rr[0].ttl = 0x8000_0001
    assert checked(record).ttl == 0
    record.rr[0].ttl = 0x7FFF_FFFF
    assert checked(record).ttl == 86_400


@given(st.binary(max_size=120), st.lists(st.integers(0, 3), min_size=3, max_size=3))
def test_no_answer_crashes_it(body, counts):
    asked = asked_by(client_query())
    header = struct.pack("!HHHHHH", ID, 0x8180, 1, *counts)
    for data in (body, header + body, header + asked.wire + body):
        verdict = verify(data, asked, ID, 0.0)
        if isinstance(verdict, Verified):
            assert len(passed_on(client_query(), verdict, 5.0)) <= len(data)


@given(st.data())
def test_no_mutation_crashes_it(data):
    good = answer_with("www.example.com. 60 CNAME a.net.", "a.net. 60 A 192.0.2.1", auth=SOA).pack()
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(12, len(good) - 1))] = data.draw(st.integers(0, 255))
    verdict = checked(bytes(damaged))
    if isinstance(verdict, Verified):
        passed_on(client_query(), verdict, 5.0)


def asked(number):
    name = f"n{number}.example.com"
    return Asked(name, 1, 1, False, b"")


def kept(ttl=60):
    good = checked(answer_with("www.example.com. 60 A 192.0.2.1"))
    return Verified(good.rcode, good.sections, good.ttls, ttl, 100.0)


def test_cache_forgets_at_the_end_of_the_ttl():
    cache = AnswerCache()
    cache.put(asked(1), kept())
    assert cache.get(asked(1), 159.9)
    assert cache.get(asked(1), 160.0) is None
    assert len(cache) == 0


def test_cache_keeps_nothing_without_a_ttl():
    cache = AnswerCache()
    cache.put(asked(1), kept(ttl=0))
    assert len(cache) == 0


def test_cache_is_bounded_and_the_least_used_goes_first():
    cache = AnswerCache(most_bytes=5000)
    cache.put(asked(0), kept())
    for number in range(1, 1000):
        cache.put(asked(number), kept())
        assert cache.get(asked(0), 101.0)
    assert 5 < len(cache) < 10


def test_cache_counts_replaced_answers_once():
    cache = AnswerCache(most_bytes=5000)
    for _ in range(1000):
        cache.put(asked(1), kept())
    cache.put(asked(2), kept())
    assert len(cache) == 2
