"""Questions to an upstream server, and what of its answers we believe. Pure.

An answer is believed only if it carries our id and our question, and then only its records about the
name asked and the aliases it leads to; the rest, where poison travels, is cut off (RFC 5452). Nothing
is re-encoded: records keep their place, so their compression pointers stay right.
"""

import enum
import struct
from dataclasses import dataclass

from appliance.netboot.dns.message import (
    HEADER,
    QR,
    RA,
    RD,
    TC,
    MessageError,
    Query,
    Question,
    Sections,
    WireRecord,
    opt_record,
    read_name,
    read_question,
    read_records,
    response,
)
from appliance.netboot.dns.names import is_below
from appliance.netboot.dns.records import Rcode, Type

LONGEST_TTL = 86_400
LONGEST_NEGATIVE_TTL = 900
"""Seconds that an answer, or its absence, is remembered at most."""

_LONGEST_CHAIN = 16


class Useless(enum.Enum):
    """Why a datagram is not the answer."""

    FOREIGN = "not an answer to our question"
    TRUNCATED = "truncated"
    UNWILLING = "the server refused or failed"


@dataclass(frozen=True)
class Asked:
    """What is forwarded, and the key under which answers are kept and shared. `wire` in lower case."""

    name: str
    qtype: int
    qclass: int
    dnssec_ok: bool
    wire: bytes


@dataclass(frozen=True)
class Verified:
    """The part of an upstream answer that may be passed on, for `ttl` seconds from `stored`."""

    rcode: int
    sections: Sections
    ttls: tuple[tuple[int, int], ...]
    ttl: int
    stored: float


def asked_by(query: Query) -> Asked:
    """The question of a client, freed from what makes equal questions look different."""
    question = query.question
    dnssec_ok = bool(query.edns and query.edns.dnssec_ok)
    # Lower case touches letters in labels only: length bytes are below 64, "A" is 65.
    wire = question.wire[:-4].lower() + question.wire[-4:]
    return Asked(question.name, question.qtype, question.qclass, dnssec_ok, wire)


def encode_question(asked: Asked, ident: int) -> bytes:
    """The query to send upstream, with a 16-bit id that nobody can guess."""
    header = HEADER.pack(ident, RD, 1, 0, 0, 1)
    return header + asked.wire + opt_record(0, dnssec_ok=asked.dnssec_ok)


def verify(data: bytes, asked: Asked, ident: int, now: float) -> Verified | Useless:
    """What `data`, received from the server that was asked, is worth."""
    try:
        return _verify(data, asked, ident, now)
    except MessageError:
        return Useless.FOREIGN


def _verify(data: bytes, asked: Asked, ident: int, now: float) -> Verified | Useless:
    if len(data) < HEADER.size:
        return Useless.FOREIGN
    their_id, flags, questions, answers, authorities, additionals = HEADER.unpack_from(data)
    if their_id != ident or not flags & QR or questions != 1:
        return Useless.FOREIGN
    question, offset = read_question(data)
    if not _same(question, asked):
        return Useless.FOREIGN
    if flags & TC:
        return Useless.TRUNCATED
    records = list(read_records(data, offset, answers + authorities + additionals))
    if _rcode(flags, records) not in (Rcode.NOERROR, Rcode.NXDOMAIN):
        return Useless.UNWILLING
    parts = records[:answers], records[answers : answers + authorities]
    return _believed(data, asked, flags & 0xF, offset, *parts, now)


def _same(question: Question, asked: Asked) -> bool:
    theirs = (question.name, question.qtype, question.qclass)
    return theirs == (asked.name, asked.qtype, asked.qclass) and len(question.wire) == len(asked.wire)


def _rcode(flags: int, records: list[WireRecord]) -> int:
    """All twelve bits of the response code (RFC 6891 section 6.1.3)."""
    extended = next((record.ttl >> 24 for record in records if record.type == Type.OPT), 0)
    return extended << 4 | flags & 0xF


def _believed(
    data: bytes,
    asked: Asked,
    rcode: int,
    offset: int,
    answers: list[WireRecord],
    authorities: list[WireRecord],
    now: float,
) -> Verified | Useless:
    chain = _chain(data, asked, answers)
    if not all(_belongs(record, chain) for record in answers):
        return Useless.FOREIGN
    positive = any(_answers(record, asked, chain[-1]) for record in answers)
    soa_ttl = None if positive else _negative_ttl(data, chain[-1], authorities)
    kept = answers if soa_ttl is None else answers + authorities
    ttl = min((_sane(record.ttl) for record in answers), default=LONGEST_NEGATIVE_TTL)
    if not positive:
        ttl = min(ttl, soa_ttl or 0)
    end = kept[-1].end if kept else offset
    sections = Sections(data[offset:end], len(answers), len(kept) - len(answers))
    return Verified(rcode, sections, tuple((r.ttl_at, _sane(r.ttl)) for r in kept), ttl, now)


def _chain(data: bytes, asked: Asked, answers: list[WireRecord]) -> list[str]:
    """The name asked and the aliases that follow from it, in order."""
    aliases = {r.name: read_name(data, r.data_at)[0] for r in answers if r.type == Type.CNAME}
    chain = [asked.name]
    while asked.qtype != Type.CNAME and chain[-1] in aliases and len(chain) < _LONGEST_CHAIN:
        chain.append(aliases[chain[-1]])
    return chain


def _belongs(record: WireRecord, chain: list[str]) -> bool:
    """Whether an answer record is about one of the names; a DNAME stands above them (RFC 6672)."""
    if record.name in chain:
        return True
    return record.type in (Type.DNAME, Type.RRSIG) and any(is_below(name, record.name) for name in chain)


def _answers(record: WireRecord, asked: Asked, last: str) -> bool:
    return record.name == last and asked.qtype in (record.type, Type.ANY)


def _negative_ttl(data: bytes, name: str, authorities: list[WireRecord]) -> int | None:
    """Seconds to remember that there is nothing (RFC 2308 section 5); None without a proper SOA."""
    soa = next((r for r in authorities if r.type == Type.SOA and is_below(name, r.name)), None)
    if soa is None or not all(is_below(r.name, soa.name) for r in authorities):
        return None
    if soa.end - soa.data_at < 22:  # two names and five numbers
        return None
    minimum: int = struct.unpack_from("!I", data, soa.end - 4)[0]
    return min(_sane(soa.ttl), _sane(minimum), LONGEST_NEGATIVE_TTL)


def _sane(ttl: int) -> int:
    """RFC 2181 section 8: a TTL with its top bit set is zero."""
    return 0 if ttl & 0x8000_0000 else min(ttl, LONGEST_TTL)


def passed_on(query: Query, verified: Verified, now: float) -> bytes:
    """The answer to `query`, which asked this question at `now`; TTLs are what is left of them."""
    age = int(now - verified.stored)
    whole = bytearray(response(query, verified.rcode, RA, verified.sections))
    for offset, ttl in verified.ttls:
        struct.pack_into("!I", whole, offset, max(0, ttl - age))
    return bytes(whole)
