"""Leases, as the DHCP server keeps them."""

import sqlite3
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address

from appliance.lease import Lease, LeaseState
from appliance.store.documents import dump, load, rows
from appliance.store.store import Store


def every(db: sqlite3.Connection) -> list[Lease]:
    """All stored leases, whatever their state."""
    return [load(row[0], Lease) for row in rows(db, "SELECT doc FROM leases")]


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
    sql = f"SELECT doc FROM leases WHERE mac IN ({places}) ORDER BY until"  # noqa: S608 - question marks
    return [load(row[0], Lease) for row in rows(db, sql, *wanted)]


class StoredLeases:
    """Implements the DHCP server's ``LeaseStore``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self) -> Sequence[Lease]:
        """All stored leases."""
        return await self._store.read(every)

    async def save(self, leases: Sequence[Lease]) -> None:
        """Returns once the leases are on disk; many waiting calls share one commit."""

        def job(db: sqlite3.Connection) -> None:
            last = {(lease.interface, str(lease.address)): lease for lease in leases}
            kept = {key: lease for key, lease in last.items() if lease.state is not LeaseState.FORGOTTEN}
            db.executemany(
                "INSERT OR REPLACE INTO leases(interface, address, doc) VALUES(?,?,?)",
                [(*key, dump(lease)) for key, lease in kept.items()],
            )
            db.executemany("DELETE FROM leases WHERE interface = ? AND address = ?", last.keys() - kept.keys())

        await self._store.write(job)
