"""The zone: who owns a name, forward and reverse together, never beyond the end."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.netboot.dns.records import Address, Rcode, Service, Target, Text, Type
from appliance.netboot.dns.zone import Zone

NOW = 1_000_000.0
A1, A2, A3 = (IPv4Address(f"10.77.0.{last}") for last in (51, 52, 53))


@pytest.fixture
def zone():
    return make_zone()


def make_zone():
    return Zone("Lab.Test.", [IPv4Network("10.77.0.0/24")], "Appliance", [IPv4Address("10.77.0.1")], 300)


def addresses(zone, name, now=NOW):
    return [record.data.address for record in zone.lookup(f"{name}.lab.test", Type.A, now).records]


def pointer(zone, address, now=NOW):
    records = zone.lookup(address.reverse_pointer, Type.PTR, now).records
    return records[0].data.name if records else None


def test_forward_and_reverse_come_and_go_together(zone):
    assert zone.publish("machine:1", "web1", A1, None, "machine") == "web1.lab.test"
    assert (addresses(zone, "web1"), pointer(zone, A1)) == ([A1], "web1.lab.test")
    zone.publish("machine:1", "web1", A2, None, "machine")
    assert (addresses(zone, "web1"), pointer(zone, A1), pointer(zone, A2)) == ([A2], None, "web1.lab.test")
    zone.withdraw("machine:1")
    assert (addresses(zone, "web1"), pointer(zone, A2)) == ([], None)


def test_renaming_drops_the_old_name(zone):
    zone.publish("machine:1", "web1", A1, None, "machine")
    zone.publish("machine:1", "web2", A1, None, "machine")
    assert zone.lookup("web1.lab.test", Type.A, NOW).rcode == Rcode.NXDOMAIN
    assert pointer(zone, A1) == "web2.lab.test"


def test_the_appliance_itself(zone):
    assert addresses(zone, "appliance") == [IPv4Address("10.77.0.1")]
    assert pointer(zone, IPv4Address("10.77.0.1")) == "appliance.lab.test"


@pytest.mark.parametrize("kind", ["lease", "machine", "deployment", "user"])
def test_nobody_takes_the_name_of_the_appliance(zone, kind):
    assert zone.publish("x", "APPLIANCE", A1, None, kind) is None
    assert addresses(zone, "appliance") == [IPv4Address("10.77.0.1")]
    assert pointer(zone, A1) is None


@pytest.mark.parametrize("name", ["wpad", "isatap", "localhost", "", "日本", "1"])
def test_leases_get_no_reserved_names(zone, name):
    assert zone.publish("lease:1", name, A1, NOW + 10, "lease") is None
    assert len(zone._claims) == 1


@pytest.mark.parametrize("name", ["a b", "-a", "a..b", "x" * 64, "a_b", "<b>"])
def test_other_names_must_be_right_as_they_are(zone, name):
    assert zone.publish("machine:1", name, A1, None, "machine") is None


def test_full_names_in_the_domain_are_taken_as_such(zone):
    assert zone.publish("machine:1", "web1.lab.test", A1, None, "machine") == "web1.lab.test"
    assert zone.publish("user:1", "a.b", A2, None, "user") == "a.b.lab.test"
    assert zone.publish("user:2", "lab.test", A2, None, "user") is None


@pytest.mark.parametrize("first", ["lease", "machine"])
def test_a_lease_never_takes_the_name_of_a_machine(zone, first):
    for kind in (first, {"lease": "machine", "machine": "lease"}[first]):
        zone.publish(kind, "web1", A1 if kind == "machine" else A2, NOW + 1000, kind)
    assert (addresses(zone, "web1"), pointer(zone, A2)) == ([A1], None)
    zone.withdraw("machine")
    assert (addresses(zone, "web1"), pointer(zone, A2)) == ([A2], "web1.lab.test")


def test_the_first_of_two_leases_keeps_the_name_until_it_ends(zone):
    zone.publish("lease:1", "laptop", A1, NOW + 100, "lease")
    zone.publish("lease:2", "laptop", A2, NOW + 500, "lease")
    zone.publish("lease:1", "laptop", A1, NOW + 200, "lease")
    assert (addresses(zone, "laptop"), pointer(zone, A2)) == ([A1], None)
    assert (addresses(zone, "laptop", NOW + 200), pointer(zone, A2, NOW + 200)) == ([A2], "laptop.lab.test")


def test_a_client_that_changes_to_a_bad_name_loses_the_old_one(zone):
    zone.publish("lease:1", "laptop", A1, NOW + 100, "lease")
    zone.publish("lease:1", "wpad", A1, NOW + 100, "lease")
    assert addresses(zone, "laptop") == []


def test_the_reverse_name_prefers_deployment_over_machine_over_lease(zone):
    zone.publish("lease:1", "somehow", A1, NOW + 100, "lease")
    assert pointer(zone, A1) == "somehow.lab.test"
    zone.publish("machine:1", "rack1-u3", A1, None, "machine")
    assert pointer(zone, A1) == "rack1-u3.lab.test"
    zone.publish("deployment:1", "web", A1, None, "deployment")
    assert pointer(zone, A1) == "web.lab.test"
    zone.publish("user:1", "www", A1, None, "user")
    assert pointer(zone, A1) == "web.lab.test"
    assert addresses(zone, "rack1-u3") == addresses(zone, "somehow") == addresses(zone, "www") == [A1]


def test_a_machine_with_two_addresses(zone):
    zone.publish("machine:1:a", "web1", A1, None, "machine")
    zone.publish("machine:1:b", "web1", A2, None, "machine")
    assert addresses(zone, "web1") == [A1, A2]
    assert pointer(zone, A1) == pointer(zone, A2) == "web1.lab.test"


def test_ttl_never_goes_beyond_the_end(zone):
    zone.publish("lease:1", "laptop", A1, NOW + 100.5, "lease")
    for now, ttl in ((NOW - 500, 300), (NOW, 100), (NOW + 99, 1), (NOW + 100, 0)):
        (record,) = zone.lookup("laptop.lab.test", Type.A, now).records
        (reverse,) = zone.lookup(A1.reverse_pointer, Type.PTR, now).records
        assert (record.ttl, reverse.ttl) == (ttl, ttl)
    gone = NOW + 100.5
    assert zone.lookup("laptop.lab.test", Type.A, gone).rcode == Rcode.NXDOMAIN
    assert zone.lookup(A1.reverse_pointer, Type.PTR, gone).rcode == Rcode.NXDOMAIN


def test_all_records_of_a_set_have_the_ttl_of_the_one_that_ends_first(zone):
    """RFC 2181 section 5.2."""
    zone.publish("machine:1", "twin", A1, NOW + 50, "machine")
    zone.publish("machine:2", "twin", A2, NOW + 200, "machine")
    assert [record.ttl for record in zone.lookup("twin.lab.test", Type.A, NOW).records] == [50, 50]
    assert addresses(zone, "twin", NOW + 60) == [A2]


def test_expired_records_leave_the_memory(zone):
    zone.publish("lease:1", "laptop", A1, NOW + 100, "lease")
    generation = zone.generation
    zone.expire(NOW + 99)
    assert (len(zone._claims), zone.generation) == (2, generation)
    zone.expire(NOW + 100)
    assert (len(zone._claims), zone.generation) == (1, generation + 1)


def test_generation_changes_with_content_only(zone):
    zone.publish("machine:1", "web1", A1, None, "machine")
    generation = zone.generation
    zone.publish("machine:1", "web1", A1, None, "machine")
    zone.withdraw("nobody")
    assert zone.generation == generation


def test_negative_answers_carry_the_soa(zone):
    zone.publish("machine:1", "web1", A1, None, "machine")
    nodata = zone.lookup("web1.lab.test", Type.AAAA, NOW)
    nothing = zone.lookup("web2.lab.test", Type.A, NOW)
    assert (nodata.rcode, nodata.records, nodata.soa.name) == (Rcode.NOERROR, (), "lab.test")
    assert (nothing.rcode, nothing.records, nothing.soa.name) == (Rcode.NXDOMAIN, (), "lab.test")
    reverse = zone.lookup("9.0.77.10.in-addr.arpa", Type.PTR, NOW)
    assert (reverse.rcode, reverse.soa.name) == (Rcode.NXDOMAIN, "0.77.10.in-addr.arpa")


def test_names_between_are_no_nxdomain(zone):
    zone.publish("user:1", "a.b.c", A1, None, "user")
    assert zone.lookup("b.c.lab.test", Type.A, NOW).rcode == Rcode.NOERROR
    assert zone.lookup("c.lab.test", Type.A, NOW).rcode == Rcode.NOERROR
    zone.withdraw("user:1")
    assert zone.lookup("b.c.lab.test", Type.A, NOW).rcode == Rcode.NXDOMAIN


def test_the_apexes_have_soa_and_ns(zone):
    for apex in ("lab.test", "0.77.10.in-addr.arpa"):
        (soa,) = zone.lookup(apex, Type.SOA, NOW).records
        (ns,) = zone.lookup(apex, Type.NS, NOW).records
        assert soa.data.primary == ns.data.name == "appliance.lab.test"


@pytest.mark.parametrize("name", ["example.com", "test", "", "xlab.test", "1.1.77.10.in-addr.arpa"])
def test_foreign_names_are_not_ours(zone, name):
    assert zone.lookup(name, Type.A, NOW) is None


def test_any_gives_one_kind_of_record(zone):
    zone.publish("machine:1", "web1", A1, None, "machine")
    zone.publish_record("user:t", "web1x", Text((b"x",)))
    assert [r.data.type for r in zone.lookup("web1.lab.test", Type.ANY, NOW).records] == [Type.A]
    assert len(zone.lookup("lab.test", Type.ANY, NOW).records) == 1


def test_user_records_of_all_types(zone):
    zone.publish("machine:1", "web1", A1, None, "machine")
    assert zone.publish_record("u1", "www", Target(Type.CNAME, "web1.lab.test"))
    assert zone.publish_record("u2", "_http._tcp", Service(0, 5, 80, "web1.lab.test"))
    assert zone.publish_record("u3", "note", Text((b"hello",)))
    assert zone.publish_record("u4", "six", Address(IPv6Address("fd00::1")))
    assert zone.publish_record("u5", "appliance", Text((b"no",))) is None
    chased = zone.lookup("www.lab.test", Type.A, NOW).records
    assert [record.data.type for record in chased] == [Type.CNAME, Type.A]
    assert [r.data.type for r in zone.lookup("www.lab.test", Type.CNAME, NOW).records] == [Type.CNAME]
    assert zone.lookup("_http._tcp.lab.test", Type.SRV, NOW).records[0].data.port == 80
    assert zone.lookup("six.lab.test", Type.AAAA, NOW).records[0].data.address == IPv6Address("fd00::1")
    assert zone.lookup("six.lab.test", Type.A, NOW).rcode == Rcode.NOERROR


def test_an_alias_of_nothing_is_nxdomain_with_the_alias(zone):
    zone.publish_record("u1", "www", Target(Type.CNAME, "gone.lab.test"))
    answer = zone.lookup("www.lab.test", Type.A, NOW)
    assert (answer.rcode, len(answer.records), answer.soa.name) == (Rcode.NXDOMAIN, 1, "lab.test")


def test_alias_loops_end(zone):
    zone.publish_record("u1", "a", Target(Type.CNAME, "b.lab.test"))
    zone.publish_record("u2", "b", Target(Type.CNAME, "a.lab.test"))
    assert len(zone.lookup("a.lab.test", Type.A, NOW).records) <= 8


def test_all_subnets_have_their_reverse_zones():
    """Several subnets, none of them cut at a whole byte."""
    networks = [IPv4Network(text) for text in ("10.77.0.0/22", "10.77.4.0/25", "10.77.4.128/26", "172.20.0.0/14")]
    zone = Zone("lab.test", networks, "appliance", [next(each.hosts()) for each in networks], 300)
    for network in networks:
        inside = network.broadcast_address - 1
        zone.publish(f"m:{inside}", f"m{int(inside)}", inside, None, "machine")
        assert pointer(zone, inside) == f"m{int(inside)}.lab.test"
        assert pointer(zone, next(network.hosts())) == "appliance.lab.test"
        assert zone.lookup((inside - 1).reverse_pointer, Type.PTR, NOW).rcode == Rcode.NXDOMAIN
    assert len(addresses(zone, "appliance")) == 4
    apexes = {"0.77.10", "1.77.10", "2.77.10", "3.77.10", "4.77.10", "20.172", "21.172", "22.172", "23.172"}
    for apex in apexes:
        (soa,) = zone.lookup(f"{apex}.in-addr.arpa", Type.SOA, NOW).records
        assert soa.name == f"{apex}.in-addr.arpa"
    assert zone.lookup("24.172.in-addr.arpa", Type.SOA, NOW) is None


def test_of_a_public_network_that_we_have_a_part_of_the_rest_is_asked_of_others():
    zone = Zone("lab.test", [IPv4Network("198.18.7.64/26")], "appliance", [IPv4Address("198.18.7.65")], 300)
    assert pointer(zone, IPv4Address("198.18.7.65")) == "appliance.lab.test"
    assert zone.lookup("66.7.18.198.in-addr.arpa", Type.PTR, NOW).rcode == Rcode.NXDOMAIN
    assert zone.lookup("63.7.18.198.in-addr.arpa", Type.PTR, NOW) is None
    assert zone.lookup("128.7.18.198.in-addr.arpa", Type.PTR, NOW) is None
    private = Zone("lab.test", [IPv4Network("10.77.0.64/26")], "appliance", [IPv4Address("10.77.0.65")], 300)
    assert private.lookup("9.0.77.10.in-addr.arpa", Type.PTR, NOW).rcode == Rcode.NXDOMAIN


LABELS = st.sampled_from(["a", "b", "c"])
STEPS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.one_of(st.none(), LABELS),
        st.sampled_from([A1, A2, A3]),
        st.sampled_from([None, NOW + 5, NOW + 50]),
        st.sampled_from(["lease", "machine", "deployment", "user"]),
    ),
    max_size=20,
)


@given(STEPS, st.sampled_from([NOW, NOW + 5, NOW + 10, NOW + 50, NOW + 60]))
def test_forward_and_reverse_always_agree_and_answers_stay_fresh(steps, now):
    zone = make_zone()
    for owner, label, address, until, kind in steps:
        if label is None:
            zone.withdraw(str(owner))
        else:
            zone.publish(str(owner), label, address, until, kind)
    for address in (A1, A2, A3):
        if (name := pointer(zone, address, now)) is not None:
            assert address in addresses(zone, name.removesuffix(".lab.test"), now)
    for name, qtype in [(f"{label}.lab.test", Type.A) for label in "abc"] + [
        (address.reverse_pointer, Type.PTR) for address in (A1, A2, A3)
    ]:
        answer = zone.lookup(name, qtype, now)
        for later in (now, now + 1, now + 4, now + 7, now + 49, now + 1000):
            if later < answer.fresh_until:
                again = zone.lookup(name, qtype, later)
                assert (again.rcode, again.records) == (answer.rcode, answer.records)
