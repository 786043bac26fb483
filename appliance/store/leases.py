"""Leases, as the DHCP server keeps them.

In plain columns with one index besides the key: a hall that boots has thousands of them written a second, and every
further index, or document that has to be read to fill one, costs as much as the lease itself.
"""

import binascii
import sqlite3
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address
from typing import Any

from appliance.lease import Lease, LeaseState
from appliance.store.documents import rows
from appliance.store.store import Store

COLUMNS = "mac, number, interface, client_id, hostname, since, until, state, port"
"""What ``lease_of`` reads; ``number`` is the address as a whole number, ``client_id`` is in Base64."""
_PUT = f"INSERT OR REPLACE INTO leases({COLUMNS}) VALUES(?,?,?,?,?,?,?,?,?)"
_DROP = "DELETE FROM leases WHERE number = ? AND interface = ?"


def lease_of(row: Sequence[Any]) -> Lease:
    """The lease in a row of COLUMNS."""
    mac, number, interface, client_id, hostname, since, until, state, port = row
    client = binascii.a2b_base64(client_id)
    return Lease(mac, IPv4Address(number), interface, client, hostname, since, until, LeaseState(state), port)


def row_of(lease: Lease) -> tuple[Any, ...]:
    """A lease as COLUMNS."""
    client = binascii.b2a_base64(lease.client_id, newline=False).decode()
    head = (lease.mac, int(lease.address), lease.interface, client, lease.hostname)
    return (*head, lease.start, lease.end, lease.state.value, lease.port)


def put(db: sqlite3.Connection, leases: Iterable[Lease]) -> None:
    """Store them, each in the place of what was stored of its address."""
    db.executemany(_PUT, map(row_of, leases))


def every(db: sqlite3.Connection) -> list[Lease]:
    """All stored leases, whatever their state."""
    return [lease_of(row) for row in rows(db, f"SELECT {COLUMNS} FROM leases")]  # noqa: S608 - columns of ours


def macs(db: sqlite3.Connection) -> list[str]:
    """Every interface that has a lease, whatever its state."""
    return [row[0] for row in rows(db, "SELECT DISTINCT mac FROM leases")]


def held(db: sqlite3.Connection, now: float) -> list[tuple[str, IPv4Address]]:
    """Interface and address of those that nobody else may get now: leased, or set aside."""
    sql = "SELECT interface, address FROM leases WHERE state IN (?, ?) AND until > ?"
    found = rows(db, sql, LeaseState.BOUND, LeaseState.DECLINED, now)
    return [(interface, IPv4Address(address)) for interface, address in found]


def of_macs(db: sqlite3.Connection, macs: Iterable[str]) -> list[Lease]:
    """The leases of these interfaces, whatever their state; the one that ends last comes last."""
    wanted = tuple(macs)
    places = ",".join("?" * len(wanted))
    sql = f"SELECT {COLUMNS} FROM leases WHERE mac IN ({places}) ORDER BY until"  # noqa: S608 - question marks
    return [lease_of(row) for row in rows(db, sql, *wanted)]


class StoredLeases:
    """Implements the DHCP server's ``LeaseStore``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self) -> Sequence[Lease]:
        """All stored leases."""
        return await self._store.read(every)

    async def save(self, leases: Sequence[Lease]) -> None:
        """Returns once the leases are on disk; many waiting calls share one commit."""

        last = {(int(lease.address), lease.interface): lease for lease in leases}
        kept = [lease for lease in last.values() if lease.state is not LeaseState.FORGOTTEN]
        dropped = [key for key, lease in last.items() if lease.state is LeaseState.FORGOTTEN]

        def job(db: sqlite3.Connection) -> None:
            put(db, kept)
            db.executemany(_DROP, dropped)

        await self._store.write(job)
