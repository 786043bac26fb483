"""What synchronous servers need of the store, kept ready in memory: known interfaces, names, leases by address."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

from appliance.events import Bus, Event, Published
from appliance.machine import MacAddress, MachineId
from appliance.reconcile.known import BootsWith, Known, Part
from appliance.reconcile.names import Name
from appliance.reconcile.surviving import Surviving
from appliance.store import deployments, leases, machines
from appliance.store.store import Store
from appliance.workflow import DeploymentId

T = TypeVar("T")

log = logging.getLogger(__name__)

_LEASES = ("dhcp.lease", "dhcp.ended")
RELEVANT = ("machine.", "deployment.", "attempt.", "step.", "inventory.", "resident.", "agent.", *_LEASES)
"""Kinds of events after which something here may differ."""
LONGEST = 30.0
"""Seconds between two looks at everything at most."""
SLICE = 200
"""Machines, or interfaces, that are looked at together: packets wait no longer than that takes."""


class Projection:
    """Read from the store after anything that matters, only what the event was about; and everything now and then."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        publish: Callable[[Name], None],
        withdraw: Callable[[str], None],
    ) -> None:
        self._store, self._bus = store, bus
        self._known = Known(publish, withdraw)
        self.machine_of: dict[MacAddress, MachineId] = self._known.machine_of
        self.mac_of: dict[str, str] = self._known.mac_of
        """Who has an address now, for servers that see addresses only."""
        self._due = asyncio.Event()
        self._everything = True
        self._machines: set[MachineId] = set()
        self._deployments: set[DeploymentId] = set()
        self._macs: set[str] = set()

    def arrived(self, mac: str) -> bool:
        """Whether the interface belongs to a machine that came up at least once."""
        return mac in self._known.arrived

    def is_known(self, mac: str) -> bool:
        """Whether the interface belongs to a machine of the fleet."""
        return mac in self.machine_of

    def boots_with(self, mac: str) -> BootsWith:
        """What is known of the machine with this interface that says which boot program it needs."""
        return self._known.boots_with(mac)

    def whose(self, address: str) -> MachineId | None:
        """The machine that has an address now."""
        mac = self.mac_of.get(address)
        return None if mac is None else self.machine_of.get(MacAddress(mac))

    def leased(self, address: str, until: float) -> None:
        """A client was told that it has this address until then; what is stored lasts longer, as slack."""
        self._known.leased(address, until)

    async def refresh(self) -> None:
        """Look at everything, in slices: what is served meanwhile does not wait for all of it."""
        there = await self._store.read(machines.ids)
        for numbers in _slices({*there, *self._known.machines}):
            await self._look(numbers, ())
        leased = await self._store.read(leases.macs)
        for macs in _slices({*leased, *self._known.leased_macs} - self.machine_of.keys()):
            await self._look((), macs)

    async def _look(self, numbers: Iterable[MachineId], macs: Iterable[str]) -> None:
        asked = frozenset(numbers)
        known = self._known.macs(asked)

        def job(db: sqlite3.Connection) -> Part:
            found = machines.some(db, sorted(asked))
            of = known.union(macs, *(machine.macs for machine in found))
            on = deployments.on_machines(db, sorted(asked))
            return Part(asked, found, on, frozenset(of), leases.of_macs(db, of))

        self._known.take(await self._store.read(job))

    async def _refresh_changed(self) -> None:
        """Look at what events were about since the last time."""
        numbers, changed, macs = self._machines, self._deployments, self._macs
        self._machines, self._deployments, self._macs = set(), set(), set()
        if changed:
            numbers |= await self._store.read(lambda db: deployments.machines_of(db, changed))
        for some in _slices(numbers):
            await self._look(some, ())
        for some_macs in _slices(macs):
            await self._look((), some_macs)

    async def run(self) -> None:
        """Look after each relevant event, and at everything every LONGEST seconds, until cancelled.

        Events that come together are one look. Not every lease has its event: those of strangers are rationed.
        """
        loop = asyncio.get_running_loop()
        with self._bus.listen(self._note):
            while True:
                again = loop.time() + LONGEST
                self._everything = False
                await self._refresh_if_possible(self.refresh)
                while not self._everything and loop.time() < again:
                    await self._wait(again - loop.time())
                    await self._refresh_if_possible(self._refresh_changed)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._due.wait()
        self._due.clear()

    def _note(self, item: Published) -> None:
        if not isinstance(item, Event) or not item.kind.startswith(RELEVANT):
            return
        mac = item.detail.get("mac")
        if item.machine is not None:
            self._machines.add(item.machine)
        if item.deployment is not None:
            self._deployments.add(item.deployment)
        if isinstance(mac, str):
            self._macs.add(mac)
        self._everything |= item.machine is None and item.deployment is None and not isinstance(mac, str)
        self._due.set()

    async def _refresh_if_possible(self, look: Callable[[], Awaitable[None]]) -> None:
        """Servers go on with the last state where the store cannot be read; the next look at everything mends it."""
        with Surviving(log, "names and machines may be out of date"):
            await look()


def _slices(of: Iterable[T]) -> Iterator[tuple[T, ...]]:
    every = tuple(of)
    return (every[start : start + SLICE] for start in range(0, len(every), SLICE))
