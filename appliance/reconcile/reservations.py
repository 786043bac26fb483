"""Keeps the DHCP server's reservations, and the options of machines, equal to what is stored."""

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address

from appliance.events import Bus, Event, Published
from appliance.lease import Reservation
from appliance.machine import Machine
from appliance.names import KeptAddress
from appliance.netboot.dhcp.subnet import Subnet
from appliance.reconcile.addresses import reservations, troubles
from appliance.reconcile.machine_options import options_by_mac
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
    """Read from the store after anything that matters; ``push`` is called with all of them where they differ, and so is
    ``push_options``: code and octets by MAC address.
    """

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Callable[[], float],
        subnets: Sequence[Subnet],
        push: Callable[[Sequence[Reservation]], None],
        push_options: Callable[[Mapping[str, Mapping[int, bytes]]], None] = lambda _: None,
    ) -> None:
        self._store, self._bus, self._clock = store, bus, clock
        self._subnets, self._push, self._push_options = subnets, push, push_options
        self._options: dict[str, dict[int, bytes]] = {}
        self._pushed: list[Reservation] | None = None
        self._others: list[Reservation] = []

    async def refresh(self) -> list[Machine]:
        """Push what is stored now, if it is news; the machines that have an address kept for them."""
        kept, others, told = await self._store.read(_kept)
        self._others = [Reservation(each.owner, IPv4Address(each.address)) for each in others]
        wanted = [*reservations(kept), *self._others]
        if wanted != self._pushed:
            self._push(wanted)
            self._pushed = wanted
        if (options := options_by_mac(told)) != self._options:
            self._push_options(options)
            self._options = options
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


def _kept(db: sqlite3.Connection) -> tuple[list[Machine], list[KeptAddress], list[Machine]]:
    """Machines with a reserved address, the reservations of what is no machine, machines with options of their own."""
    others, told = network.kept_addresses(db), machines.with_dhcp_options(db)
    return machines.with_reservations(db), others, told
