"""DNS: questions through the responder, and answers of an upstream through what is believed of them."""

import struct
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

import dnslib

from appliance.netboot.dns.limits import DnsLimits
from appliance.netboot.dns.message import UDP_LIMIT, MessageError, parse_query
from appliance.netboot.dns.responder import Responder
from appliance.netboot.dns.upstream import asked_by, verify
from appliance.netboot.dns.zone import Zone
from tests.fuzz.mutation import Chance

NETWORK = IPv4Network("10.77.0.0/24")
NAMES = ("web1.lab.test", "appliance.lab.test", "nobody.lab.test", "1.0.77.10.in-addr.arpa", "example.com", "lab.test")
TYPES = ("A", "AAAA", "PTR", "SOA", "NS", "TXT", "SRV", "CNAME", "ANY", "AXFR", "MX")
ASKED = "example.com"


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
    )
    said = []
    for text in texts:
        answer = dnslib.DNSRecord.question(ASKED).reply(ra=1, aa=0)
        answer.header.id = 7
        answer.add_answer(*dnslib.RR.fromZone(text))
        said.append(bytes(answer.pack()))
    return said


@dataclass
class DnsFuzz:
    """A server's pure parts."""

    now: float = 1e9
    real: list[bytes] = field(default_factory=lambda: [*_questions(), *_answers()])

    def __post_init__(self) -> None:
        zone = Zone("lab.test", [NETWORK], "appliance", [IPv4Address("10.77.0.1")], 60)
        zone.publish("machine", "web1", IPv4Address("10.77.0.50"), None, "machine")
        self._responder = Responder(zone, None, [NETWORK], lambda _: None, DnsLimits(), lambda: self.now)
        self._asked = asked_by(parse_query(bytes(dnslib.DNSRecord.question(ASKED).pack())))

    def feed(self, data: bytes, chance: Chance) -> None:
        """One datagram arrives: of a client, and of an upstream."""
        self.now += 0.001
        source = chance.choice(("10.77.0.50", "10.77.0.51", "192.0.2.1"))
        answered: list[bytes] = []
        ready = self._responder.ready(data, self.now) if self._responder.is_near(source) else None
        self._responder.handle_datagram(data, source, lambda answer: answered.append(answer or b""))
        for answer in (*answered, ready or b""):
            _check(data, answer)
        verify(data, self._asked, 7, self.now)


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
