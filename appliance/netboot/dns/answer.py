"""What to answer to a well-formed query: from the zone, a refusal, or nothing yet (forward it). Pure."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from appliance.netboot.dns.message import AA, RA, Query, response
from appliance.netboot.dns.names import is_below
from appliance.netboot.dns.records import Address, Answer, Authority, Rcode, Record, Type
from appliance.netboot.dns.special import local_only_zone
from appliance.netboot.dns.wire import encode_sections
from appliance.netboot.dns.zone import NEGATIVE_TTL, Zone

_CLASS_IN, _CLASS_ANY = 1, 255
_NOT_ASKED_HERE = {
    Type.OPT: Rcode.FORMERR,
    Type.AXFR: Rcode.REFUSED,
    Type.IXFR: Rcode.REFUSED,
}
_LOOPBACK = (Address(IPv4Address("127.0.0.1")), Address(IPv6Address("::1")))
_LOCALHOST_TTL = 3600
_FOREVER = float("inf")


@dataclass(frozen=True)
class Reply:
    """A whole answer. It may be given again word for word until `fresh_until` (unix time; 0: never).

    `names`: those of our zones whose change ends that. `leads_to`: the name outside that an alias leads to;
    whoever asked for recursion is to get its records too.
    """

    data: bytes
    fresh_until: float = 0.0
    names: tuple[str, ...] = ()
    leads_to: str | None = None


def protocol_error(query: Query) -> Rcode | None:
    """The response code for what no server of our kind answers, None for a question to look up."""
    if query.edns and query.edns.version > 0:
        return Rcode.BADVERS
    if query.question.qclass not in (_CLASS_IN, _CLASS_ANY):
        return Rcode.REFUSED
    return next((code for kind, code in _NOT_ASKED_HERE.items() if query.question.qtype == kind), None)


def from_zone(query: Query, zone: Zone, now: float, *, recursion_available: bool) -> Reply | None:
    """The answer of our own zones, or of the protocol itself; None when the name is not ours."""
    if (code := protocol_error(query)) is not None:
        return Reply(response(query, code))
    answer = zone.lookup(query.question.name, query.question.qtype, now)
    if answer is None:
        return None
    data = _encoded(query, answer, RA if recursion_available else 0)
    return Reply(data, answer.fresh_until, answer.names, answer.leads_to)


def without_asking(query: Query, *, recursion: bool) -> Reply | None:
    """The answer for a foreign name that must not be forwarded; None when it may be.

    `recursion`: there is a forwarder, and this client may use it.
    """
    if not recursion or not query.wants_recursion:
        return Reply(response(query, Rcode.REFUSED))
    name, qtype = query.question.name, query.question.qtype
    if (zone := kept_inside(name, qtype)) is None:
        return None
    return Reply(_encoded(query, _empty_zone(name, qtype, zone), RA), _FOREVER)


def kept_inside(name: str, qtype: int) -> str | None:
    """The zone for which nobody outside the site is asked, None where they may be."""
    zone = local_only_zone(name)
    if zone is None and name and "." not in name and qtype in (Type.A, Type.AAAA):
        return name  # a bare host name ("printer"): not ours, and nobody else's business
    return zone


def _empty_zone(name: str, qtype: int, zone: str) -> Answer:
    """RFC 6303 section 3; and RFC 6761 section 6.3 for localhost."""
    soa = Record(zone, NEGATIVE_TTL, Authority(zone, "nobody.invalid", 1, NEGATIVE_TTL))
    if not is_below(name, "localhost"):
        return Answer(Rcode.NOERROR if name == zone else Rcode.NXDOMAIN, (), soa)
    records = tuple(Record(name, _LOCALHOST_TTL, data) for data in _LOOPBACK if data.type == qtype)
    return Answer(Rcode.NOERROR, records, None if records else soa)


def _encoded(query: Query, answer: Answer, flags: int) -> bytes:
    authorities = [answer.soa] if answer.soa else []
    sections = encode_sections(query, answer.records, authorities)
    return response(query, answer.rcode, AA | flags, sections)
