"""Answers that are kept ready are what would be answered anew, whatever has changed since they were made."""

from ipaddress import IPv4Address, IPv4Network

from dns_serving import question
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.netboot.dns.limits import DnsLimits
from appliance.netboot.dns.records import Address, Service, Target, Text, Type
from appliance.netboot.dns.responder import Responder
from appliance.netboot.dns.zone import Zone

NOW = 1_000_000.0
SOURCE = "10.77.0.9"
ADDRESSES = [IPv4Address(f"10.77.0.{last}") for last in (51, 52)]
NAMES = ["a", "b", "x.a", "y.x.a"]
RECORDS = [
    Address(ADDRESSES[0]),
    Target(Type.CNAME, "a.lab.test"),
    Target(Type.CNAME, "b.lab.test"),
    Target(Type.CNAME, "www.example.com"),
    Service(0, 0, 389, "a.lab.test"),
    Text((b"text",)),
]
QUESTIONS = [bytes(question(f"{name}.lab.test", kind)) for name in NAMES for kind in ("A", "TXT", "SRV", "ANY")] + [
    bytes(question(name, kind))
    for name, kind in [
        ("lab.test", "A"),
        ("lab.test", "SOA"),
        ("lab.test", "NS"),
        *((address.reverse_pointer, "PTR") for address in ADDRESSES),
    ]
]
CHANGES = st.one_of(
    st.tuples(
        st.just("publish"),
        st.sampled_from("123"),
        st.sampled_from(NAMES),
        st.sampled_from(ADDRESSES),
        st.sampled_from([None, NOW + 5, NOW + 500]),
        st.sampled_from(["lease", "machine", "reservation", "deployment"]),
    ),
    st.tuples(st.just("record"), st.sampled_from("345"), st.sampled_from(NAMES), st.sampled_from(RECORDS)),
    st.tuples(st.just("withdraw"), st.sampled_from("12345")),
    st.tuples(st.just("time"), st.sampled_from([1.0, 4.9, 5.0, 60.0, 500.0])),
)


class World:
    """A zone, and two who answer from it: one keeps what it said, the other has nothing kept."""

    def __init__(self):
        self.now = NOW
        self.zone = Zone("lab.test", [IPv4Network("10.77.0.0/24")], "appliance", [IPv4Address("10.77.0.1")], 300)
        self.responder = self.new_responder()

    def new_responder(self):
        networks = [IPv4Network("10.77.0.0/24")]
        return Responder(self.zone, None, networks, print, DnsLimits(), clock=lambda: self.now)

    def change(self, what, *values):
        match what:
            case "publish":
                self.zone.publish(*values)
            case "record":
                self.zone.publish_record(*values)
            case "withdraw":
                self.zone.withdraw(*values)
            case "time":
                self.now += values[0]
                self.responder.expire()

    def answer(self, query):
        """As the server does: what is ready, else what is made."""
        ready = self.responder.ready(query, self.now)
        return ready if ready is not None else self.made(self.responder, query)

    def made(self, responder, query):
        answers = []
        responder.handle_datagram(query, SOURCE, answers.append)
        return answers[0]


def without_serial(answer):
    """An answer about nothing may have been kept while something else grew the serial of its zone."""
    return answer if answer[8:10] == b"\0\0" else answer[:-20]


@settings(max_examples=50, deadline=None)
@given(st.lists(CHANGES, max_size=8))
def test_what_is_kept_is_what_is_true(changes):
    world = World()
    for change in changes:
        world.change(*change)
        for query in QUESTIONS:
            anew = world.made(world.new_responder(), query)
            assert without_serial(world.answer(query)) == without_serial(anew), (change, query)
        world.zone._watchers[1:] = []  # of those that were asked once


def test_a_change_drops_the_answers_that_it_concerns_and_no_others():
    world = World()
    world.zone.publish("m:1", "a", ADDRESSES[0], None, "machine")
    world.zone.publish("m:2", "b", ADDRESSES[1], None, "machine")
    a, b = (bytes(question(f"{name}.lab.test")) for name in "ab")
    for query in (a, b):
        world.answer(query)
    world.zone.publish("m:1", "a", ADDRESSES[0], NOW + 100, "machine")
    assert world.responder.ready(a, NOW) is None
    assert world.responder.ready(b, NOW) is not None


def test_what_was_kept_of_a_lease_is_made_anew_once_its_ttl_shrinks():
    world = World()
    world.zone.publish("lease:1", "a", ADDRESSES[0], NOW + 1000, "lease")
    queries = [bytes(question("a.lab.test")), bytes(question(ADDRESSES[0].reverse_pointer, "PTR"))]
    kept = [world.answer(query) for query in queries]
    shrinks = NOW + 1000 - 300
    for query, answer in zip(queries, kept, strict=True):
        assert world.responder.ready(query, shrinks - 1) == answer
        assert world.responder.ready(query, shrinks) is None


def test_what_was_kept_for_our_own_is_not_what_strangers_get_and_the_other_way_round():
    world = World()
    world.zone.publish_record("r:1", "out", Target(Type.CNAME, "www.example.com"))
    query = bytes(question("out.lab.test"))
    answers = []
    world.responder.handle_datagram(query, "192.0.2.1", answers.append)
    assert world.responder.ready(query, NOW) is None
    assert not world.responder.is_near("192.0.2.1")
    world.responder.handle_datagram(query, SOURCE, answers.append)
    assert world.responder.is_near(SOURCE)


def test_the_serial_of_a_zone_grows_with_what_is_in_it():
    world = World()
    query = bytes(question("0.77.10.in-addr.arpa", "SOA"))
    before = world.answer(query)
    world.zone.publish_record("r:1", "a", Text((b"not in that zone",)))
    assert world.answer(query) == before
    world.zone.publish("m:1", "a", ADDRESSES[0], None, "machine")
    assert world.answer(query) != before
