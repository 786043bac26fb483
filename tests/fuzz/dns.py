"""DNS: questions through the responder, and answers of an upstream through what is believed of them."""

import struct
from collections.abc import Coroutine
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import dnslib

from appliance.netboot.dns.forwarder import NoAnswerError
from appliance.netboot.dns.limits import DnsLimits
from appliance.netboot.dns.message import UDP_LIMIT, MessageError, parse_query
from appliance.netboot.dns.records import Target, Type
from appliance.netboot.dns.responder import Responder
from appliance.netboot.dns.upstream import Asked, Verified, verify
from appliance.netboot.dns.zone import Zone
from tests.fuzz.mutation import Chance

NETWORK = IPv4Network("10.77.0.0/24")
NAMES = ("web1.lab.test", "appliance.lab.test", "nobody.lab.test", "1.0.77.10.in-addr.arpa", "example.com", "lab.test")
TYPES = ("A", "AAAA", "PTR", "SOA", "NS", "TXT", "SRV", "CNAME", "ANY", "AXFR", "MX")
ASKED = "example.com"
ALIAS = "docs.lab.test"
"""A name of ours that leads to ``ASKED``: its answer is put together of both."""
NEAR = "10.77.0.50"


def _questions() -> list[bytes]:
    asked = [dnslib.DNSRecord.question(name, qtype) for name in NAMES for qtype in TYPES]
    for at, each in enumerate(asked):
        if at % 2:
            each.add_ar(dnslib.EDNS0(udp_len=4096, flags="do" if at % 3 else ""))
    return [bytes(each.pack()) for each in asked]


def _answers() -> list[bytes]:
    """What an upstream may say about ``ASKED``, aliases and poison included."""
    texts = (
        f"{ASKED} 60 A 192.0.2.1",
        f"{ASKED} 60 CNAME www.{ASKED}\nwww.{ASKED} 60 A 192.0.2.1\nweb1.lab.test 60 A 192.0.2.66",
        f'{ASKED} 60 TXT "a" "b"',
        f"{ASKED} 60 A 192.0.2.1\n{ASKED} 60 RRSIG A 8 2 60 20301122000000 20261122000000 7 {ASKED}. AAAA",
    )
    said = [_answer(text) for text in texts]
    denied = _answer("")
    proof = (
        f"{ASKED} 60 SOA ns.{ASKED}. root.{ASKED}. 1 2 3 4 5",
        f"{ASKED} 60 RRSIG SOA 8 2 60 20301122000000 20261122000000 7 {ASKED}. AAAA",
        f"{ASKED} 60 NSEC a.{ASKED}. A RRSIG NSEC",
    )
    for text in proof:
        denied.add_auth(*dnslib.RR.fromZone(text))
    return [bytes(each.pack()) for each in (*said, denied)]


def _answer(text: str) -> dnslib.DNSRecord:
    answer = dnslib.DNSRecord.question(ASKED).reply(ra=1, aa=0)
    answer.header.id = 7
    answer.add_answer(*dnslib.RR.fromZone(text))
    return answer


def _asked_near() -> list[bytes]:
    """Questions that an upstream has to answer, from clients with and without an interest in its proofs."""
    made = []
    for name in (ASKED, ALIAS):
        for flags in ("", "do", None):
            question = dnslib.DNSRecord.question(name)
            if flags is not None:
                question.add_ar(dnslib.EDNS0(udp_len=4096, flags=flags))
            made.append(bytes(question.pack()))
    return made


@dataclass
class Upstream:
    """Says the same to every question, at once: what nobody would believe is no answer."""

    said: bytes = b""
    now: float = 0.0

    def cached(self, asked: Asked) -> Verified | None:
        """What it says, as if it had been asked already: failures are remembered, and would hide what comes after."""
        answer = verify(self.said, asked, 7, self.now)
        return answer if isinstance(answer, Verified) else None

    async def resolve(self, asked: Asked) -> Verified:
        """Nothing more."""
        raise NoAnswerError(asked.name)


def _at_once(job: Coroutine[Any, Any, None]) -> None:
    """Run what waits for nothing."""
    try:
        job.send(None)
    except StopIteration:
        return
    raise AssertionError("the upstream of this test lets nobody wait")


@dataclass
class DnsFuzz:
    """A server's pure parts."""

    now: float = 1e9
    real: list[bytes] = field(default_factory=lambda: [*_questions(), *_answers()])

    def __post_init__(self) -> None:
        zone = Zone("lab.test", [NETWORK], "appliance", [IPv4Address("10.77.0.1")], 60)
        zone.publish("machine", "web1", IPv4Address("10.77.0.50"), None, "machine")
        zone.publish_record("record:1", ALIAS.partition(".")[0], Target(Type.CNAME, ASKED))
        self._upstream = Upstream()
        self._responder = Responder(zone, self._upstream, [NETWORK], lambda _: None, DnsLimits(), lambda: self.now)
        self._responder.begin(_at_once)
        self._near = _asked_near()

    def feed(self, data: bytes, chance: Chance) -> None:
        """One datagram arrives: of a client, and of an upstream whose answer a client waits for."""
        self.now += 0.001
        self._upstream.said, self._upstream.now = data, self.now
        self._ask(data, chance.choice((NEAR, "10.77.0.51", "192.0.2.1")))
        self._ask(chance.choice(self._near), NEAR)

    def _ask(self, data: bytes, source: str) -> None:
        answered: list[bytes] = []
        ready = self._responder.ready(data, self.now) if self._responder.is_near(source) else None
        self._responder.handle_datagram(data, source, lambda answer: answered.append(answer or b""))
        for answer in (*answered, ready or b""):
            _check(data, answer)


def _check(data: bytes, answer: bytes) -> None:
    if not answer:
        return
    assert answer[:2] == data[:2], "the id is the client's"
    assert not data[2] & 0x80, "a response is never answered"
    assert answer[2] & 0x80
    assert len(answer) <= UDP_LIMIT
    try:
        query = parse_query(data)
    except MessageError:
        return
    questions = struct.unpack_from("!H", answer, 4)[0]
    assert questions == 0 or answer[12 : 12 + len(query.question.wire)] == query.question.wire
