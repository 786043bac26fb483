"""Resource records and the answer to one question, as values. Pure."""

import enum
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address


class Type(enum.IntEnum):
    """Record and question types that this server treats by name."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    MX = 15
    TXT = 16
    RP = 17
    AFSDB = 18
    AAAA = 28
    SRV = 33
    DNAME = 39
    OPT = 41
    RRSIG = 46
    NSEC = 47
    DNSKEY = 48
    NSEC3 = 50
    IXFR = 251
    AXFR = 252
    ANY = 255


class Rcode(enum.IntEnum):
    """Response codes (RFC 1035 section 4.1.1, RFC 6891 section 9)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


@dataclass(frozen=True)
class Address:
    """A or AAAA."""

    address: IPv4Address | IPv6Address

    @property
    def type(self) -> Type:
        return Type.A if self.address.version == 4 else Type.AAAA


@dataclass(frozen=True)
class Target:
    """CNAME, NS or PTR: another name."""

    type: Type
    name: str


@dataclass(frozen=True)
class Service:
    """SRV (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str
    type: Type = Type.SRV


@dataclass(frozen=True)
class Text:
    """TXT: strings of up to 255 bytes each."""

    strings: tuple[bytes, ...]
    type: Type = Type.TXT


@dataclass(frozen=True)
class Authority:
    """SOA. `negative_ttl` is the field that RFC 2308 gave its meaning; seconds."""

    primary: str
    mailbox: str
    serial: int
    negative_ttl: int
    type: Type = Type.SOA


RecordData = Address | Target | Service | Text | Authority


@dataclass(frozen=True)
class Record:
    """One record of an answer; `ttl` in seconds."""

    name: str
    ttl: int
    data: RecordData


@dataclass(frozen=True)
class Answer:
    """What a zone says to a question. No records and NOERROR is NODATA; `soa` comes with the negatives.

    `fresh_until`: the answer stays word for word the same until then (unix time), zone changes apart.
    `names`: those that were looked at, aliases included; a change at none of them changes the answer.
    `leads_to`: the name outside our zones that the last alias leads to.
    """

    rcode: Rcode
    records: tuple[Record, ...] = ()
    soa: Record | None = None
    fresh_until: float = float("inf")
    names: tuple[str, ...] = ()
    leads_to: str | None = None
