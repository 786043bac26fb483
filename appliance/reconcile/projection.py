"""What synchronous servers need of the store, kept ready in memory: known interfaces, names, leases by address."""

import logging
from collections.abc import Callable
from dataclasses import replace

import aiosqlite

from appliance.events import Bus, Event, Published
from appliance.lease import Lease, LeaseState
from appliance.machine import MacAddress, Machine, MachineId, State
from appliance.reconcile.names import Name, names
from appliance.reconcile.surviving import Surviving
from appliance.store import deployments, leases, machines
from appliance.store.store import Store

log = logging.getLogger(__name__)

RELEVANT = ("machine.", "deployment.", "attempt.", "dhcp.", "step.", "inventory.", "resident.", "agent.")
"""Kinds of events after which something here may differ."""
LONGEST = 30.0
"""Seconds between two refreshes at most."""


class Projection:
    """Rebuilt from the store after anything that matters; whoever asks gets the last complete state."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        publish: Callable[[Name], None],
        withdraw: Callable[[str], None],
    ) -> None:
        self._store, self._bus = store, bus
        self._publish, self._withdraw = publish, withdraw
        self._published: dict[str, Name] = {}
        self.machine_of: dict[MacAddress, MachineId] = {}
        self.mac_of: dict[str, str] = {}
        """Who has an address now, for servers that see addresses only."""
        self._until: dict[str, float] = {}
        self._arrived: frozenset[str] = frozenset()

    def arrived(self, mac: str) -> bool:
        """Whether the interface belongs to a machine that came up at least once."""
        return mac in self._arrived

    def is_known(self, mac: str) -> bool:
        """Whether the interface belongs to a machine of the fleet."""
        return mac in self.machine_of

    def whose(self, address: str) -> MachineId | None:
        """The machine that has an address now."""
        mac = self.mac_of.get(address)
        return None if mac is None else self.machine_of.get(MacAddress(mac))

    def leased(self, address: str, until: float) -> None:
        """A client was told that it has this address until then; what is stored lasts longer, as slack."""
        self._until[address] = until
        for owner, name in self._published.items():
            if str(name.address) == address:
                self._published[owner] = replace(name, until=until)
                self._publish(self._published[owner])

    async def refresh(self) -> None:
        """Read everything once and publish what differs."""

        async def job(db: aiosqlite.Connection) -> tuple[list[Machine], list[Name], list[Lease]]:
            every = await machines.briefs(db)
            bound = await leases.every(db)
            return every, names(every, await deployments.every(db), bound), bound

        every, wanted, bound = await self._store.read(job)
        self.machine_of = {mac: machine.id for machine in every for mac in machine.macs}
        self._arrived = frozenset(mac for each in every if each.state is not State.DISCOVERED for mac in each.macs)
        self.mac_of = {str(lease.address): lease.mac for lease in bound if lease.state is LeaseState.BOUND}
        self._until = {address: until for address, until in self._until.items() if address in self.mac_of}
        told = [replace(name, until=self._until.get(str(name.address), name.until)) for name in wanted]
        self._name({name.owner: name for name in told})

    def _name(self, wanted: dict[str, Name]) -> None:
        for owner in self._published.keys() - wanted.keys():
            self._withdraw(owner)
        for owner, name in wanted.items():
            if self._published.get(owner) != name:
                self._publish(name)
        self._published = wanted

    async def run(self) -> None:
        """Refresh after each relevant event and every LONGEST seconds, until cancelled.

        Events that come together are one refresh. Not every lease has its event: those of strangers are rationed.
        """
        with self._bus.subscribe(1) as subscription:
            await self._refresh_if_possible()
            while True:
                await subscription.woken(_is_relevant, LONGEST)
                await self._refresh_if_possible()

    async def _refresh_if_possible(self) -> None:
        """Servers go on with the last complete state where the store cannot be read."""
        with Surviving(log, "names and machines may be out of date"):
            await self.refresh()


def _is_relevant(item: Published) -> bool:
    return isinstance(item, Event) and item.kind.startswith(RELEVANT)
