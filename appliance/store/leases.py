"""Leases, as the DHCP server keeps them."""

from collections.abc import Sequence

import aiosqlite

from appliance.lease import Lease
from appliance.store.documents import dump, load, rows
from appliance.store.store import Store


async def every(db: aiosqlite.Connection) -> list[Lease]:
    """All stored leases, whatever their state."""
    return [load(row[0], Lease) for row in await rows(db, "SELECT doc FROM leases")]


class StoredLeases:
    """Implements the DHCP server's ``LeaseStore``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self) -> Sequence[Lease]:
        """All stored leases."""
        return await self._store.read(every)

    async def save(self, leases: Sequence[Lease]) -> None:
        """Returns once the leases are on disk; many waiting calls share one commit."""

        async def job(db: aiosqlite.Connection) -> None:
            await db.executemany(
                "INSERT OR REPLACE INTO leases(interface, address, doc) VALUES(?,?,?)",
                [(lease.interface, str(lease.address), dump(lease)) for lease in leases],
            )

        await self._store.write(job)
