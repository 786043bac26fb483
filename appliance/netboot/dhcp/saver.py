"""Leases on their way to the disk: in order, in batches, never in anybody's way."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from appliance.lease import Lease

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.004
"""In a crowd leases wait so long for others. However few it is of, a commit costs a change of threads there and back
and a write to the disk: as much of the processor as several exchanges.
"""


class LeaseStore(Protocol):
    """Where leases live; the address (with its interface) is the key."""

    async def load(self) -> Sequence[Lease]:
        """All leases."""

    async def save(self, leases: Sequence[Lease]) -> None:
        """Write them, later ones over earlier ones; returns when they would survive a power cut."""


class Saver:
    """Writes what is queued, one batch after the other.

    While a batch is written, or the disk is stuck, the next one grows; it is bounded by the number of
    addresses, since a binding is queued once until it is written.
    """

    def __init__(
        self,
        store: LeaseStore,
        saved: Callable[[Sequence[Lease]], None],
        failed: Callable[[Sequence[Lease]], None],
    ) -> None:
        self._store = store
        self._saved = saved
        self._failed = failed
        self._queue: list[Lease] = []
        self._wake = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []

    def put(self, lease: Lease) -> None:
        """Queue a lease."""
        self._queue.append(lease)
        self._wake.set()

    async def written(self) -> None:
        """Return once all that was queued before was written, or could not be."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._wake.set()
        await future

    async def run(self) -> None:
        """Write until cancelled."""
        crowded = False
        while True:
            await self._wake.wait()
            if crowded:
                await asyncio.sleep(GATHER_SECONDS)
            self._wake.clear()
            batch, self._queue = self._queue, []
            crowded = len(batch) > 1
            waiting, self._waiting = self._waiting, []
            if batch:
                await self._write(batch)
            for future in waiting:
                if not future.done():
                    future.set_result(None)

    async def _write(self, batch: Sequence[Lease]) -> None:
        lost: list[Exception] = []
        await self._write_or_divide(batch, lost)
        if lost:
            log.error("writing leases, %d of %d", len(lost), len(batch), exc_info=lost[0])

    async def _write_or_divide(self, batch: Sequence[Lease], lost: list[Exception]) -> None:
        """What a disk refuses together it may take in parts: on a full one a longer lease has room, a new one has not.

        An error for each lease that could not be written goes to ``lost``.
        """
        try:
            await self._store.save(batch)
        except Exception as error:  # whatever the store raises: those who have an address keep being served
            if len(batch) > 1:
                middle = len(batch) // 2
                for part in (batch[:middle], batch[middle:]):
                    await self._write_or_divide(part, lost)
                return
            lost.append(error)
            self._failed(batch)
        else:
            self._saved(batch)
