"""Records that users add: which are good, and what the zone answers."""

import pytest

from appliance.errors import ApplianceError
from appliance.names import DnsRecord
from appliance.netboot.dns.records import Service, Text
from appliance.reconcile import dns_records
from appliance.reconcile.dns_records import check_fits, check_record, data_of

DOMAIN = "lab.test"


def record(name, kind, value, number=1):
    return DnsRecord(name, kind, value, "", 1.0, number)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (("WWW.", "A", " 10.77.0.9 "), ("www", "A", "10.77.0.9")),
        (("www.lab.test", "AAAA", "FD00::0:9"), ("www", "AAAA", "fd00::9")),
        (("a.b", "CNAME", "node-1"), ("a.b", "CNAME", "node-1.lab.test")),
        (("a", "CNAME", "www.Example.org."), ("a", "CNAME", "www.example.org")),
        (("_acme-challenge.www", "TXT", "x=y z"), ("_acme-challenge.www", "TXT", "x=y z")),
        (("_acme-challenge.www", "CNAME", "a.example.org"), ("_acme-challenge.www", "CNAME", "a.example.org")),
        (("_LDAP._tcp", "SRV", " 0 05  389 Node-1 "), ("_ldap._tcp", "SRV", "0 5 389 node-1.lab.test")),
        (("_ldap._tcp", "SRV", "0 0 65535 ldap.Example.org."), ("_ldap._tcp", "SRV", "0 0 65535 ldap.example.org")),
        (("_pop3._tcp", "SRV", "0 0 0 ."), ("_pop3._tcp", "SRV", "0 0 0 .")),
    ],
)
def test_good_records_have_one_form(given, stored):
    assert check_record(*given, DOMAIN) == stored


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        (("www", "MX", "x"), "record-type", "type"),
        (("", "A", "10.0.0.1"), "name-invalid", "name"),
        (("lab.test", "A", "10.0.0.1"), "name-invalid", "name"),
        (("a b", "A", "10.0.0.1"), "name-invalid", "name"),
        (("_a", "A", "10.0.0.1"), "name-invalid", "name"),
        (("*", "A", "10.0.0.1"), "name-invalid", "name"),
        (("x" * 64, "A", "10.0.0.1"), "name-invalid", "name"),
        ((".".join(["x" * 60] * 5), "A", "10.0.0.1"), "name-invalid", "name"),
        (("wpad", "A", "10.0.0.1"), "name-reserved", "name"),
        (("appliance", "A", "10.0.0.1"), "name-reserved", "name"),
        (("www", "A", "fd00::1"), "record-value", "value"),
        (("www", "A", "224.0.0.1"), "record-value", "value"),
        (("www", "A", "0.0.0.0"), "record-value", "value"),
        (("www", "AAAA", "fe80::1%eth0"), "record-value", "value"),
        (("www", "CNAME", "www"), "record-loop", "value"),
        (("www", "CNAME", "a b"), "record-value", "value"),
        (("_ldap._tcp", "SRV", ""), "record-value", "value"),
        (("_ldap._tcp", "SRV", "0 5 389"), "record-value", "value"),
        (("_ldap._tcp", "SRV", "0 5 65536 node-1"), "record-value", "value"),
        (("_ldap._tcp", "SRV", "0 -5 389 node-1"), "record-value", "value"),
        (("_ldap._tcp", "SRV", "0 5 389 a_b!"), "record-value", "value"),
        (("_ldap._tcp", "SRV", "0 5 389 node-1 x"), "record-value", "value"),
        (("www", "TXT", ""), "record-value", "value"),
        (("www", "TXT", "a\nb"), "record-value", "value"),
        (("www", "TXT", "\u202e"), "record-value", "value"),
        (("www", "TXT", "x" * 1001), "record-value", "value"),
    ],
)
def test_bad_records_are_refused_with_the_field(given, code, field):
    with pytest.raises(ApplianceError) as refused:
        check_record(*given, DOMAIN)
    assert (refused.value.code, refused.value.field) == (code, field)


@pytest.mark.parametrize(
    ("new", "others", "code"),
    [
        (("www", "A", "10.0.0.1"), [("www", "A", "10.0.0.1")], "record-known"),
        (("www", "CNAME", "a.lab.test"), [("www", "A", "10.0.0.1")], "name-taken"),
        (("www", "TXT", "x"), [("www", "CNAME", "a.lab.test")], "name-taken"),
        (("a", "CNAME", "b.lab.test"), [("b", "CNAME", "c.lab.test"), ("c", "CNAME", "a.lab.test")], "record-loop"),
        (("_x._tcp", "SRV", "0 0 1 a.lab.test"), [("a", "CNAME", "c.lab.test")], "record-value"),
        (("_x._tcp", "CNAME", "a.lab.test"), [("_x._tcp", "SRV", "0 0 1 c.lab.test")], "name-taken"),
    ],
)
def test_what_does_not_go_together_is_refused(new, others, code):
    with pytest.raises(ApplianceError) as refused:
        check_fits(record(*new), [record(*each) for each in others], DOMAIN)
    assert refused.value.code == code


def test_what_goes_together_is_taken():
    others = [record("www", "A", "10.0.0.1"), record("b", "CNAME", "c.lab.test"), record("c", "CNAME", "d.lab.test")]
    check_fits(record("www", "A", "10.0.0.2"), others, DOMAIN)
    check_fits(record("www", "TXT", "x"), others, DOMAIN)
    check_fits(record("a", "CNAME", "b.lab.test"), others, DOMAIN)


def test_records_are_bounded(monkeypatch):
    monkeypatch.setattr(dns_records, "MOST", 1)
    with pytest.raises(ApplianceError) as refused:
        check_fits(record("b", "A", "10.0.0.2"), [record("a", "A", "10.0.0.1")], DOMAIN)
    assert refused.value.code == "records-full"


def test_a_long_text_is_cut_into_strings():
    data = data_of(record("www", "TXT", "ä" * 200))
    assert isinstance(data, Text)
    assert [len(each) for each in data.strings] == [255, 145]
    assert b"".join(data.strings).decode() == "ä" * 200


def test_a_service_is_told_from_its_absence():
    assert data_of(record("_a._tcp", "SRV", "0 5 389 b.lab.test")) == Service(0, 5, 389, "b.lab.test")
    assert data_of(record("_a._tcp", "SRV", "0 0 0 .")) == Service(0, 0, 0, "")
