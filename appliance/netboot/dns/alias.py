"""Aliases of our zones that lead outside: whoever asked for recursion gets the records of their targets too. Pure.

Records of an upstream answer point with their compressed names into that answer; put behind ours, they are
written out in full.
"""

import struct
from collections.abc import Sequence
from dataclasses import replace

from appliance.netboot.dns.answer import Reply, kept_inside
from appliance.netboot.dns.message import (
    AA,
    HEADER,
    RA,
    Query,
    Question,
    Sections,
    WireRecord,
    read_labels,
    read_records,
    response,
)
from appliance.netboot.dns.names import labels_of
from appliance.netboot.dns.records import Type
from appliance.netboot.dns.upstream import Asked, Verified, asked_by, passed_on

_FIXED = struct.Struct("!HHIH")
_NAMES_IN = {
    Type.NS: (0, 1),
    Type.CNAME: (0, 1),
    Type.SOA: (0, 2),
    Type.PTR: (0, 1),
    Type.MX: (2, 1),
    Type.RP: (0, 2),
    Type.AFSDB: (2, 1),
    Type.SRV: (6, 1),
}
"""Types whose data may have compressed names (RFC 3597 section 4): bytes before the names, and their number."""


def target_to_ask(query: Query, reply: Reply) -> Asked | None:
    """The question that completes `reply`; None where nothing is to be asked of others."""
    name, qtype = reply.leads_to, query.question.qtype
    if name is None or not query.wants_recursion or kept_inside(name, qtype) is not None:
        return None
    return replace(asked_by(query), name=name, wire=_wire(labels_of(name)) + query.question.wire[-4:])


def completed(query: Query, reply: Reply, target: Asked, verified: Verified, now: float) -> bytes:
    """`reply` with the records of its target behind its own; code and authority are those of the target's answer."""
    aliases = HEADER.unpack_from(reply.data)[3]
    start = HEADER.size + len(query.question.wire)
    end = [record.end for record in read_records(reply.data, start, aliases)][-1]
    theirs = passed_on(_as_asked(query, target), verified, now)
    number = verified.sections.answers + verified.sections.authorities
    further = read_records(theirs, HEADER.size + len(target.wire), number)
    body = reply.data[start:end] + b"".join(_in_full(theirs, record) for record in further)
    sections = Sections(body, aliases + verified.sections.answers, verified.sections.authorities)
    return response(query, verified.rcode, AA | RA, sections)


def _as_asked(query: Query, target: Asked) -> Query:
    """The query, as if it had been for the target."""
    return replace(query, question=Question(target.name, target.qtype, target.qclass, target.wire), edns=None)


def _in_full(data: bytes, record: WireRecord) -> bytes:
    """The record with every name written out."""
    owner, _ = read_labels(data, record.at)
    body = _data_in_full(data, record)
    return _wire(owner) + _FIXED.pack(record.type, record.rclass, record.ttl, len(body)) + body


def _data_in_full(data: bytes, record: WireRecord) -> bytes:
    before, names = next((where for kind, where in _NAMES_IN.items() if kind == record.type), (0, 0))
    found, offset = [data[record.data_at : record.data_at + before]], record.data_at + before
    for _ in range(names):
        labels, offset = read_labels(data, offset)
        found.append(_wire(labels))
    return b"".join(found) + data[offset : record.end]


def _wire(labels: Sequence[bytes]) -> bytes:
    return b"".join(bytes([len(label)]) + label for label in labels if label) + b"\0"
