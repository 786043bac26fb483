"""Questions to an upstream server, and what of its answers we believe. Pure.

An answer is believed only if it carries our id and our question, and then only its records about the
name asked and the aliases it leads to; the rest, where poison travels, is cut off (RFC 5452). Nothing
is re-encoded: records keep their place, so their compression pointers stay right.

Signed answers go to those who asked for them as they came, with the proofs in their authority section
(RFC 4035 section 3.1.3); whether they are right is for the upstream and the client to say, by AD and CD.
"""

import enum
import struct
from dataclasses import dataclass

from appliance.netboot.dns.message import (
    AD,
    CD,
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
_SIGNER_AT = 18
"""Where an RRSIG names its zone (RFC 4034 section 3.1)."""
_NOT_UNDERSTOOD = (Rcode.FORMERR, Rcode.NOTIMP)
"""What a server says that does not know EDNS (RFC 6891 section 7)."""


class Useless(enum.Enum):
    """Why a datagram is not the answer."""

    FOREIGN = "not an answer to our question"
    TRUNCATED = "truncated"
    PLAIN_ONLY = "the server does not know EDNS"
    UNWILLING = "the server refused or failed"


@dataclass(frozen=True)
class Asked:
    """What is forwarded, and the key under which answers are kept and shared. `wire` in lower case.

    `checking_disabled`: the client wants what does not validate too, and that is kept apart (RFC 4035 section 4.7).
    """

    name: str
    qtype: int
    qclass: int
    dnssec_ok: bool
    wire: bytes
    checking_disabled: bool = False


@dataclass(frozen=True)
class Verified:
    """The part of an upstream answer that may be passed on, for `ttl` seconds from `stored`.

    `authenticated`: the upstream says that it has validated the answer (AD).
    """

    rcode: int
    sections: Sections
    ttls: tuple[tuple[int, int], ...]
    ttl: int
    stored: float
    authenticated: bool = False


def asked_by(query: Query) -> Asked:
    """The question of a client, freed from what makes equal questions look different."""
    question = query.question
    # Lower case touches letters in labels only: length bytes are below 64, "A" is 65.
    wire = question.wire[:-4].lower() + question.wire[-4:]
    return Asked(question.name, question.qtype, question.qclass, query.dnssec_ok, wire, query.checking_disabled)


def encode_question(asked: Asked, ident: int, *, edns: bool = True) -> bytes:
    """The query to send upstream, with a 16-bit id that nobody can guess.

    AD is always set: it asks whether the answer was validated (RFC 6840 section 5.7), which some client will want to
    know of what is kept.
    """
    opt = opt_record(0, dnssec_ok=asked.dnssec_ok) if edns else b""
    flags = RD | AD | (CD if asked.checking_disabled else 0)
    return HEADER.pack(ident, flags, 1, 0, 0, len(opt) and 1) + asked.wire + opt


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
    if their_id != ident or not flags & QR:
        return Useless.FOREIGN
    if questions == 0 and flags & 0xF in _NOT_UNDERSTOOD:
        return Useless.PLAIN_ONLY  # as old servers say it, with nothing but a header
    if questions != 1:
        return Useless.FOREIGN
    question, offset = read_question(data)
    if not _same(question, asked):
        return Useless.FOREIGN
    if flags & TC:
        return Useless.TRUNCATED
    records = list(read_records(data, offset, answers + authorities + additionals))
    rcode = _rcode(flags, records)
    if rcode in _NOT_UNDERSTOOD:
        return Useless.PLAIN_ONLY
    if rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN):
        return Useless.UNWILLING
    parts = records[:answers], records[answers : answers + authorities]
    return _believed(data, asked, flags, offset, *parts, now)


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
    flags: int,
    offset: int,
    answers: list[WireRecord],
    authorities: list[WireRecord],
    now: float,
) -> Verified | Useless:
    chain = _chain(data, asked, answers)
    if not all(_belongs(record, chain) for record in answers):
        return Useless.FOREIGN
    positive = any(_answers(record, asked, chain[-1]) for record in answers)
    signers = _signers(data, [*answers, *authorities], chain) if asked.dnssec_ok else set()
    soa_ttl = None if positive else _negative_ttl(data, chain[-1], authorities, signers)
    proves = bool(signers) and _lie_in(authorities, signers) if positive else soa_ttl is not None
    kept = answers + authorities if proves else answers
    ttl = min((_sane(record.ttl) for record in kept), default=LONGEST_NEGATIVE_TTL)
    if not positive:
        ttl = min(ttl, soa_ttl or 0)
    sections = Sections(data[offset : kept[-1].end if kept else offset], len(answers), len(kept) - len(answers))
    ttls = tuple((record.ttl_at, _sane(record.ttl)) for record in kept)
    return Verified(flags & 0xF, sections, ttls, ttl, now, bool(flags & AD))


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


def _signers(data: bytes, records: list[WireRecord], chain: list[str]) -> set[str]:
    """The zones that say they have signed something here, as far as a name that we follow lies in them."""
    found = {read_name(data, r.data_at + _SIGNER_AT)[0] for r in records if _is_signature(r)}
    return {zone for zone in found if any(is_below(name, zone) for name in chain)}


def _is_signature(record: WireRecord) -> bool:
    return record.type == Type.RRSIG and record.end - record.data_at > _SIGNER_AT


def _lie_in(records: list[WireRecord], zones: set[str]) -> bool:
    return all(any(is_below(record.name, zone) for zone in zones) for record in records)


def _negative_ttl(data: bytes, name: str, authorities: list[WireRecord], signers: set[str]) -> int | None:
    """Seconds to remember that there is nothing (RFC 2308 section 5); None without a proper SOA."""
    soa = next((r for r in authorities if r.type == Type.SOA and is_below(name, r.name)), None)
    if soa is None or not _lie_in(authorities, {soa.name, *signers}):
        return None
    if soa.end - soa.data_at < 22:  # two names and five numbers
        return None
    minimum: int = struct.unpack_from("!I", data, soa.end - 4)[0]
    return min(_sane(soa.ttl), _sane(minimum), LONGEST_NEGATIVE_TTL)


def _sane(ttl: int) -> int:
    """RFC 2181 section 8: a TTL with its top bit set is zero."""
    return 0 if ttl & 0x8000_0000 else min(ttl, LONGEST_TTL)


def passed_on(query: Query, verified: Verified, now: float) -> bytes:
    """The answer to `query`, which asked this question at `now`; TTLs are what is left of them.

    AD goes to those who asked for it (RFC 6840 section 5.8).
    """
    age = int(now - verified.stored)
    authenticated = verified.authenticated and (query.dnssec_ok or query.flags & AD)
    whole = bytearray(response(query, verified.rcode, RA | (AD if authenticated else 0), verified.sections))
    for offset, ttl in verified.ttls:
        struct.pack_into("!I", whole, offset, max(0, ttl - age))
    return bytes(whole)


def same_until(verified: Verified, now: float) -> float:
    """Until when `passed_on` gives the same bytes as at `now`: TTLs are whole seconds."""
    return verified.stored + min(int(now - verified.stored) + 1, verified.ttl)
