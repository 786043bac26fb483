"""Keeps the DHCP server's reservations equal to what is stored."""

import logging
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address

import aiosqlite

from appliance.events import Bus, Event, Published
from appliance.lease import Reservation
from appliance.machine import Machine
from appliance.names import KeptAddress
from appliance.netboot.dhcp.subnet import Subnet
from appliance.reconcile.addresses import reservations, troubles
from appliance.reconcile.record import record
from appliance.reconcile.surviving import Surviving
from appliance.store import machines, network
from appliance.store.store import Store

log = logging.getLogger(__name__)

RELEVANT = (
    "machine.new",
    "machine.changed",
    "machine.conflict",
    "machine.deleted",
    "inventory.taken",
    "network.changed",
)
"""Kinds of events after which another interface may have an address kept for it."""
AGAIN = 30.0
"""Seconds until the store is read again that could not be read."""


class Reservations:
    """Read from the store after anything that matters; ``push`` is called with all of them where they differ."""

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
        self._pushed: list[Reservation] | None = None
        self._others: list[Reservation] = []

    async def refresh(self) -> list[Machine]:
        """Push what is stored now, if it is news; the machines that have an address kept for them."""
        kept, others = await self._store.read(_kept)
        self._others = [Reservation(each.mac, IPv4Address(each.address)) for each in others]
        wanted = [*reservations(kept), *self._others]
        if wanted != self._pushed:
            self._push(wanted)
            self._pushed = wanted
        return kept

    async def run(self) -> None:
        """Push, say once what the configuration makes impossible, then follow what changes, until cancelled."""
        with self._bus.subscribe(64) as subscription:
            while (kept := await self._refresh_if_possible()) is None:
                await subscription.woken(_is_relevant, AGAIN)
            for trouble in troubles(kept, self._subnets, self._others):
                log.warning("%s", trouble)
                await self._tell(trouble)
            while True:
                await subscription.woken(_is_relevant, AGAIN if kept is None else None)
                kept = await self._refresh_if_possible()

    async def _tell(self, trouble: str) -> None:
        event = Event("daemon.trouble", self._clock(), trouble)
        with Surviving(log, "that is in no timeline"):
            await record(self._store, self._bus, lambda _, tell: tell(event))

    async def _refresh_if_possible(self) -> list[Machine] | None:
        """The server goes on with what it knows where the store cannot be read: None then."""
        with Surviving(log, "reserved addresses may be out of date"):
            return await self.refresh()
        return None


def _is_relevant(item: Published) -> bool:
    return isinstance(item, Event) and item.kind in RELEVANT


async def _kept(db: aiosqlite.Connection) -> tuple[list[Machine], list[KeptAddress]]:
    """Machines with a reserved address, and the reservations of what is no machine."""
    return await machines.with_reservations(db), await network.kept_addresses(db)
