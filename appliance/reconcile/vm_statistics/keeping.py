"""The week of all VMs on the disk: written every ten minutes, made coarse after a day, dropped after a week.

A power cut loses what was measured since the last writing, ten minutes at most. A daemon that is stopped loses only the
single samples of the last hour, whose chart then has steps of two minutes. A disk that is full is no trouble: what it
does not take is written with the next.
"""

from collections.abc import Iterable, Mapping
from functools import partial

from appliance.reconcile.vm_statistics.series import Series, coarse
from appliance.store import vm_statistics as stored
from appliance.store.store import Store
from appliance.vm import VmId
from appliance.vm_points import COARSE, DAY, WEEK

EVERY = 600.0
"""Seconds between two writings."""
AT_ONCE = 1000
"""Rows that are made coarse in one go: what other writes wait for stays below a tenth of a second."""


class Keeping:
    """``wall`` is Unix time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._latest = 0.0

    async def write(self, series: Mapping[VmId, Series], wall: float) -> None:
        """What the disk does not have yet, all VMs in one transaction."""
        rows = {vm: found for vm, each in series.items() if (found := each.rows())}
        flat = [(start, vm, points) for vm, found in rows.items() for start, points in found.items() if start <= wall]
        back, self._latest = wall < self._latest - COARSE, wall

        def put(db: stored.Database) -> bool:
            if back:
                stored.drop_after(db, wall)
            stored.put(db, sorted(flat))
            return True

        if (flat or back) and await self._store.write_if_possible(put):
            for vm, found in rows.items():
                series[vm].written(found, wall)

    async def grow_old(self, wall: float) -> None:
        """Make coarse what is older than a day, and drop what is older than a week."""
        before = wall - DAY - COARSE
        while rows := await self._store.read(lambda db: _folded(db, before)):
            if await self._store.write_if_possible(partial(stored.fold, folded=rows)) is None:
                return
        await self._store.write_if_possible(lambda db: stored.drop(db, wall - WEEK - COARSE))

    async def forget(self, there: Iterable[VmId]) -> None:
        """Of VMs that are not there any more nothing is kept."""
        known = set(there)
        if gone := await self._store.read(stored.vms) - known:
            await self._store.write_if_possible(lambda db: stored.forget(db, gone))


def _folded(db: stored.Database, before: float) -> list[stored.Row]:
    """In a thread of the database's, which is what it takes the time of."""
    return [(start, vm, coarse(points)) for start, vm, points in stored.old(db, before, AT_ONCE)]
