"""DNS messages as bytes: the one reader of what comes from the network (RFC 1035 section 4). Pure.

Hand-made and bounds-checked, because it sees hostile bytes: names are read without recursion, and a
compression pointer may only lead backwards.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from appliance.netboot.dns.names import text_of
from appliance.netboot.dns.records import Rcode, Type

HEADER = struct.Struct("!HHHHHH")
_FIXED = struct.Struct("!HHIH")

QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010
_OPCODE = 0x7800
_DO = 0x8000

UDP_LIMIT = 1232
"""Bytes of a UDP answer with EDNS: fits every path without fragments (DNS flag day 2020)."""

PLAIN_UDP_LIMIT = 512
_LONGEST_WIRE_NAME = 255


class MessageError(ValueError):
    """The bytes cannot be answered as a query. `rcode` None: not even worth an answer."""

    def __init__(self, reason: str, rcode: Rcode | None = Rcode.FORMERR) -> None:
        super().__init__(reason)
        self.rcode = rcode


@dataclass(frozen=True)
class Edns:
    """The OPT record of a query (RFC 6891)."""

    payload: int
    version: int
    dnssec_ok: bool
    has_options: bool


@dataclass(frozen=True)
class Question:
    """What is asked. `name` is canonical text; `wire` the question section as sent, case kept."""

    name: str
    qtype: int
    qclass: int
    wire: bytes


@dataclass(frozen=True)
class Query:
    """A well-formed query."""

    id: int
    flags: int
    question: Question
    edns: Edns | None

    @property
    def wants_recursion(self) -> bool:
        return bool(self.flags & RD)

    @property
    def checking_disabled(self) -> bool:
        return bool(self.flags & CD)

    @property
    def dnssec_ok(self) -> bool:
        return self.edns is not None and self.edns.dnssec_ok

    @property
    def udp_limit(self) -> int:
        """Bytes that an answer over UDP may have."""
        if self.edns is None:
            return PLAIN_UDP_LIMIT
        return min(max(self.edns.payload, PLAIN_UDP_LIMIT), UDP_LIMIT)


@dataclass(frozen=True)
class WireRecord:
    """Where a record lies in a message: from `at` to before `end`."""

    at: int
    name: str
    type: int
    rclass: int
    ttl: int
    ttl_at: int
    data_at: int
    end: int


def parse_query(data: bytes) -> Query:
    """Read a query. Raises MessageError with the response code that it deserves."""
    if len(data) < HEADER.size:
        raise MessageError("shorter than a header", None)
    ident, flags, questions, answers, authorities, additionals = HEADER.unpack_from(data)
    if flags & QR:
        raise MessageError("a response", None)  # answering those is how two servers talk for ever
    if flags & _OPCODE:
        raise MessageError("an opcode other than QUERY", Rcode.NOTIMP)
    if questions != 1:
        raise MessageError(f"{questions} questions")
    question, offset = read_question(data)
    records = list(read_records(data, offset, answers + authorities + additionals))
    return Query(ident, flags, question, _edns(data, records))


def read_question(data: bytes) -> tuple[Question, int]:
    """The question of a message, and the offset after it. Raises MessageError."""
    name, offset = read_name(data, HEADER.size)
    if offset + 4 > len(data):
        raise MessageError("the question is cut short")
    qtype, qclass = struct.unpack_from("!HH", data, offset)
    return Question(name, qtype, qclass, data[HEADER.size : offset + 4]), offset + 4


def read_records(data: bytes, offset: int, count: int) -> Iterator[WireRecord]:
    """The next `count` records from `offset` on. Raises MessageError where they end too early."""
    for _ in range(count):
        record = _read_record(data, offset)
        offset = record.end
        yield record


def _read_record(data: bytes, at: int) -> WireRecord:
    name, offset = read_name(data, at)
    if offset + _FIXED.size > len(data):
        raise MessageError("a record is cut short")
    rtype, rclass, ttl, length = _FIXED.unpack_from(data, offset)
    data_at = offset + _FIXED.size
    if data_at + length > len(data):
        raise MessageError("the data of a record is cut short")
    return WireRecord(at, name, rtype, rclass, ttl, offset + 4, data_at, data_at + length)


def read_name(data: bytes, offset: int) -> tuple[str, int]:
    """The canonical text of the name at `offset`, and the offset after it. Raises MessageError."""
    labels, after = read_labels(data, offset)
    return text_of(labels), after


def read_labels(data: bytes, offset: int) -> tuple[list[bytes], int]:
    """The labels of the name at `offset` as sent, and the offset after it. Raises MessageError."""
    labels: list[bytes] = []
    size, after, lowest = 0, None, offset
    while True:
        length = _byte(data, offset)
        if length >= 0xC0:
            pointer = (length & 0x3F) << 8 | _byte(data, offset + 1)
            after = offset + 2 if after is None else after
            # Strictly backwards: no loop is possible, and no header byte is taken for a label.
            if not HEADER.size <= pointer < lowest:
                raise MessageError("a compression pointer that does not lead back")
            offset = lowest = pointer
            continue
        if length > 63:
            raise MessageError("a label type that does not exist")
        size += length + 1
        if size > _LONGEST_WIRE_NAME:
            raise MessageError("a name of more than 255 bytes")
        offset += 1 + length
        if not length:
            return labels, offset if after is None else after
        if offset > len(data):
            raise MessageError("a label is cut short")
        labels.append(data[offset - length : offset])


def _byte(data: bytes, offset: int) -> int:
    if offset >= len(data):
        raise MessageError("a name is cut short")
    return data[offset]


def _edns(data: bytes, records: list[WireRecord]) -> Edns | None:
    found = [record for record in records if record.type == Type.OPT]
    if not found:
        return None
    if len(found) > 1 or found[0].name:
        raise MessageError("OPT may be there once, at the root (RFC 6891 section 6.1.1)")
    opt = found[0]
    return Edns(opt.rclass, opt.ttl >> 16 & 0xFF, bool(opt.ttl & _DO), opt.end > opt.data_at)


def opt_record(rcode: int, *, dnssec_ok: bool) -> bytes:
    """Our OPT record for an answer with `rcode`."""
    ttl = (rcode >> 4) << 24 | (_DO if dnssec_ok else 0)
    return b"\0" + _FIXED.pack(Type.OPT, UDP_LIMIT, ttl, 0)


def bare_response(data: bytes, rcode: int) -> bytes:
    """An answer of a header alone, to something whose question could not be read."""
    ident, flags = struct.unpack_from("!HH", data)
    return HEADER.pack(ident, QR | flags & (_OPCODE | RD) | rcode & 0xF, 0, 0, 0, 0)


def rcode_of(answer: bytes) -> int:
    """The response code in the header of an answer of ours."""
    return answer[3] & 0xF


@dataclass(frozen=True)
class Sections:
    """The encoded records of a response, with their numbers."""

    body: bytes = b""
    answers: int = 0
    authorities: int = 0


def response(query: Query, rcode: int, flags: int = 0, sections: Sections | None = None) -> bytes:
    """The answer to `query`: id, RD and CD copied, question echoed, OPT only if the query had one."""
    sections = sections or Sections()
    opt = b""
    if query.edns is not None:
        opt = opt_record(rcode, dnssec_ok=query.edns.dnssec_ok)
    header = HEADER.pack(
        query.id,
        QR | flags | query.flags & (RD | CD) | rcode & 0xF,
        1,
        sections.answers,
        sections.authorities,
        len(opt) and 1,
    )
    return header + query.question.wire + sections.body + opt


def fitted(query: Query, whole: bytes, limit: int) -> bytes:
    """`whole`, or if that is longer than `limit` bytes, the same answer empty and marked TC."""
    if len(whole) <= limit:
        return whole
    flags = struct.unpack_from("!H", whole, 2)[0]
    return truncated(query, flags)


def truncated(query: Query, flags: int = 0) -> bytes:
    """An empty answer marked TC: ask again over TCP. Of `flags` the code, AA and RA stay."""
    return response(query, flags & 0xF, flags & (AA | RA) | TC)
