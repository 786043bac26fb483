"""Keeps the DHCP server's reservations equal to what is stored."""

import logging
from collections.abc import Callable, Sequence

import aiosqlite

from appliance.errors import ApplianceError
from appliance.events import Bus, Event
from appliance.lease import Reservation
from appliance.machine import Machine
from appliance.netboot.dhcp.subnet import Subnet
from appliance.reconcile.addresses import reservations, troubles
from appliance.reconcile.record import record
from appliance.store import machines
from appliance.store.store import Store

log = logging.getLogger(__name__)

RELEVANT = ("machine.new", "machine.changed", "machine.conflict", "machine.deleted", "inventory.taken")
"""Kinds of events after which another interface may have an address kept for it."""


class Reservations:
    """Read from the store after anything that matters; ``push`` is called with all of them each time."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Callable[[], float],
        subnets: Sequence[Subnet],
        push: Callable[[Sequence[Reservation]], None],
    ) -> None:
        self._store, self._bus, self._clock = store, bus, clock
        self._subnets, self._push = subnets, push

    async def refresh(self) -> list[Machine]:
        """Push what is stored now; the machines that have an address kept for them."""
        kept = await self._store.read(_kept)
        self._push(reservations(kept))
        return kept

    async def run(self) -> None:
        """Push, say once what the configuration makes impossible, then follow what changes, until cancelled."""
        with self._bus.subscribe(64) as subscription:
            for trouble in troubles(await self.refresh(), self._subnets):
                log.warning("%s", trouble)
                await self._tell(trouble)
            while True:
                item = await subscription.get()
                if subscription.lost or (isinstance(item, Event) and item.kind in RELEVANT):
                    subscription.clear()  # all of it is stored already: one look sees it
                    subscription.lost = 0
                    await self._refresh_if_possible()

    async def _tell(self, trouble: str) -> None:
        event = Event("daemon.trouble", self._clock(), trouble)
        await record(self._store, self._bus, lambda _, tell: tell(event))

    async def _refresh_if_possible(self) -> None:
        """The server goes on with what it knows where the store cannot be read."""
        try:
            await self.refresh()
        except ApplianceError as error:
            log.warning("reserved addresses may be out of date: %s", error.message)


async def _kept(db: aiosqlite.Connection) -> list[Machine]:
    return [await machines.get(db, each.id) for each in await machines.briefs(db) if each.reserved_address]
