"""Addresses and names that users keep, and the lists of leases and reservations."""

import sqlite3
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal

import msgspec

from appliance.errors import NotFound
from appliance.lease import Lease
from appliance.names import DnsRecord, KeptAddress
from appliance.store import leases
from appliance.store.documents import one, rows
from appliance.store.listing import Condition, Filter, Listing, Number, Sort, any_of, equals, words

_Word = Annotated[str, msgspec.Meta(max_length=200)]
_Q = "words in address, name or MAC address"

_OF_LEASE = ", ".join(f"l.{column}" for column in leases.COLUMNS.split(", "))
_HOLDERS = "LEFT JOIN machine_macs a ON a.mac = l.mac LEFT JOIN machines m ON m.id = a.machine"
_NAMED = "SELECT a.mac FROM machines m JOIN machine_macs a ON a.machine = m.id WHERE instr(lower(m.name), ?) > 0"


def _lease_words(value: str, _: float) -> list[Condition]:
    """In the lease, or in the name of the machine that holds it."""
    sql = f"(instr(l.search, ?) > 0 OR l.mac IN ({_NAMED}))"
    return [(sql, (word, word)) for word in value.lower().split()[:16]]


LEASES = Listing(
    table=f"leases l {_HOLDERS}",
    columns=f"{_OF_LEASE}, m.id, m.name",
    id="printf('%010d', l.number) || l.interface",
    id_kind=str,
    default="address",
    sorts={
        "address": Sort("l.number", Number),
        "mac": Sort("l.mac"),
        "hostname": Sort("l.hostname"),
        "until": Sort("l.until", float),
    },
    filters={
        "q": Filter(_Word, _lease_words, _Q),
        "interface": Filter(_Word, equals("l.interface"), "the interface of ours that it is on"),
        "active": Filter(
            bool,
            lambda value, now: [(f"{'' if value else 'NOT '}(l.state <> 'released' AND l.until > ?)", (now,))],
            "whether nobody else may get the address now",
        ),
    },
)  # fmt: skip

_NUMBER = " + ".join(
    f"json_extract('[' || replace({{address}}, '.', ',') || ']', '$[{place}]') * {1 << (24 - 8 * place)}"
    for place in range(4)
)
_OF_MACHINES = """
    SELECT 'machine' AS kind, 'machine:' || m.id AS id, m.id AS machine, m.name AS name, ifnull(m.first_mac, '') AS mac,
        m.reserved AS address, '' AS note, m.reserved_number AS number
    FROM machines m WHERE m.reserved IS NOT NULL
"""
_OF_OTHERS = f"""
    SELECT 'other' AS kind, r.owner AS id, NULL AS machine, ifnull(r.name, '') AS name, r.owner AS mac,
        r.address AS address, r.note AS note, {_NUMBER.format(address="r.address")} AS number
    FROM reservations r
"""  # noqa: S608 - ours
RESERVATIONS = Listing(
    table=f"({_OF_MACHINES} UNION ALL {_OF_OTHERS}) r",
    columns="r.kind, r.machine, r.name, r.mac, r.address, r.note",
    id="r.id",
    id_kind=str,
    default="address",
    sorts={"address": Sort("r.number", Number), "name": Sort("r.name"), "mac": Sort("r.mac")},
    filters={
        "q": Filter(_Word, words("lower(r.mac || ' ' || r.address || ' ' || r.name || ' ' || r.note)"), _Q),
        "kind": Filter(list[Literal["machine", "other"]], any_of("r.kind"), "of machines, or of what is none"),
    },
)


def lease_row(row: Any) -> tuple[Lease, str | None, str | None]:
    """A row of LEASES: the lease, and id and name of the machine, where it is one's."""
    return leases.lease_of(row[:-2]), row[-2], row[-1]


_AT = "FROM leases WHERE interface = ? AND number = ?"


def _number(address: str) -> int:
    """An address as it is stored; one that none has for what is no address."""
    try:
        return int(IPv4Address(address))
    except ValueError:
        return -1


def lease(db: sqlite3.Connection, interface: str, address: str) -> Lease:
    """One lease; raises NotFound."""
    row = one(db, f"SELECT {leases.COLUMNS} {_AT}", interface, _number(address))
    if row is None:
        text = f"there is no lease of {address[:40]} on {interface[:40]}"
        raise NotFound("lease-unknown", text, "list them with: qrm network leases")
    return leases.lease_of(row)


def has_lease(db: sqlite3.Connection, interface: str, address: str) -> bool:
    """Whether anything is kept of this address."""
    return one(db, f"SELECT 1 {_AT}", interface, _number(address)) is not None


def delete_lease(db: sqlite3.Connection, interface: str, address: str) -> None:
    """Forget a lease that the DHCP server knows nothing of."""
    db.execute(f"DELETE {_AT}", (interface, _number(address)))


_KEPT = "SELECT owner, address, name, note, created FROM reservations"


def kept_addresses(db: sqlite3.Connection) -> list[KeptAddress]:
    """All reservations of what is no machine."""
    return [KeptAddress(*row) for row in rows(db, f"{_KEPT} ORDER BY owner")]


def kept_address(db: sqlite3.Connection, owner: str) -> KeptAddress:
    """The reservation of this owner; raises NotFound."""
    row = one(db, f"{_KEPT} WHERE owner = ?", owner)
    if row is None:
        hint = "list them with: qrm network reservations; that of a machine is taken from the machine"
        raise NotFound("reservation-unknown", f"nothing is reserved for {owner[:80]}", hint)
    return KeptAddress(*row)


def keep_address(db: sqlite3.Connection, of: KeptAddress) -> None:
    """Store a reservation; another one of this owner is replaced."""
    db.execute(
        "INSERT OR REPLACE INTO reservations(owner, address, name, note, created) VALUES(?,?,?,?,?)",
        (of.owner, of.address, of.name, of.note, of.created),
    )


def drop_address(db: sqlite3.Connection, owner: str) -> None:
    """Forget a reservation."""
    db.execute("DELETE FROM reservations WHERE owner = ?", (owner,))


_RECORDS = "SELECT name, type, value, note, created, id FROM dns_records"


def records(db: sqlite3.Connection) -> list[DnsRecord]:
    """All records that users added."""
    return [DnsRecord(*row) for row in rows(db, f"{_RECORDS} ORDER BY id")]


def record(db: sqlite3.Connection, number: int) -> DnsRecord:
    """One record; raises NotFound."""
    row = one(db, f"{_RECORDS} WHERE id = ?", number)
    if row is None:
        raise NotFound("record-unknown", f"there is no record {number}", "list them with: qrm network names")
    return DnsRecord(*row)


def add_record(db: sqlite3.Connection, of: DnsRecord) -> DnsRecord:
    """Store a record and return it with its number."""
    cursor = db.execute(
        "INSERT INTO dns_records(name, type, value, note, created) VALUES(?,?,?,?,?)",
        (of.name, of.type, of.value, of.note, of.created),
    )
    return replace(of, id=int(cursor.lastrowid or 0))


def delete_record(db: sqlite3.Connection, number: int) -> None:
    """Forget a record."""
    db.execute("DELETE FROM dns_records WHERE id = ?", (number,))
