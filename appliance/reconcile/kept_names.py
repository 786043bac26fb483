"""Keeps the DNS zone equal to the names that users keep: of reservations, and records of their own."""

import logging
import sqlite3
from ipaddress import IPv4Address

from appliance.events import Bus, Event, Published
from appliance.names import DnsRecord, KeptAddress
from appliance.netboot.dns.zone import Zone
from appliance.reconcile.dns_records import data_of
from appliance.reconcile.surviving import Surviving
from appliance.store import network
from appliance.store.store import Store

log = logging.getLogger(__name__)

AGAIN = 30.0
"""Seconds until the store is read again at the latest."""


class KeptNames:
    """Read from the store after anything that matters; the zone is told what differs."""

    def __init__(self, store: Store, bus: Bus, zone: Zone) -> None:
        self._store, self._bus, self._zone = store, bus, zone
        self._published: dict[str, KeptAddress | DnsRecord] = {}

    async def refresh(self) -> None:
        """Publish what is stored now; raises ApplianceError where it cannot be read."""

        def job(db: sqlite3.Connection) -> tuple[list[KeptAddress], list[DnsRecord]]:
            return network.kept_addresses(db), network.records(db)

        kept, records = await self._store.read(job)
        wanted: dict[str, KeptAddress | DnsRecord] = {f"reservation:{each.owner}": each for each in kept if each.name}
        wanted |= {f"record:{each.id}": each for each in records}
        for owner in self._published.keys() - wanted.keys():
            self._zone.withdraw(owner)
        for owner, each in wanted.items():
            if self._published.get(owner) != each:
                self._publish(owner, each)
        self._published = wanted

    def _publish(self, owner: str, each: KeptAddress | DnsRecord) -> None:
        if isinstance(each, DnsRecord):
            self._zone.publish_record(owner, each.name, data_of(each))
        elif each.name:
            self._zone.publish(owner, each.name, IPv4Address(each.address), None, "reservation")

    async def run(self) -> None:
        """Follow what changes, until cancelled."""
        with self._bus.subscribe(64) as subscription:
            while True:
                with Surviving(log, "names that users keep may be out of date"):
                    await self.refresh()
                await subscription.woken(_is_relevant, AGAIN)


def _is_relevant(item: Published) -> bool:
    return isinstance(item, Event) and item.kind == "network.changed"
