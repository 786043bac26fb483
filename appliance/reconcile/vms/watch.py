"""Looks at hosts now and then, and whenever one of them says that something has changed; tells what it sees."""

import asyncio
import logging
from contextlib import suppress

from appliance.events import Bus, Event, Published
from appliance.reconcile.record import Tell, record
from appliance.reconcile.surviving import Surviving
from appliance.reconcile.vms.host_rooms import HostRooms
from appliance.reconcile.vms.jobs import VmJobs
from appliance.reconcile.vms.looking import Looking
from appliance.reconcile.vms.news import has_changed, news
from appliance.reconcile.vms.shown import HostView
from appliance.store import vm_hosts
from appliance.vm_work import KnownHost

log = logging.getLogger(__name__)

LOOK_EVERY = 30.0
"""Seconds between two looks at most: what a host does not tell costs time only."""
BREATH = 0.2
"""Seconds between two looks at least: a host with many VMs tells of each."""


class VmWatch:
    """Hosts that something of ours was put on, or that users have added; others are looked at by who asks."""

    def __init__(self, rooms: HostRooms, looking: Looking, jobs: VmJobs, bus: Bus) -> None:
        self._rooms, self._looking, self._jobs, self._bus = rooms, looking, jobs, bus
        self._before: dict[str, HostView] = {}
        self._watched: dict[str, tuple[KnownHost, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Until cancelled; then every connection is closed, and VMs run on."""
        try:
            with self._bus.subscribe(64) as subscription:
                async with asyncio.TaskGroup() as group:
                    while True:
                        with Surviving(log, "hosts are not watched for now"):
                            await self._follow(group)
                            await self._jobs.tidy()
                        await subscription.woken(_matters, LOOK_EVERY)
        finally:
            self._watched.clear()
            await self._rooms.close()

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        """One task for each host that there is."""
        hosts = {each.address: each for each in await self._rooms.store.read(vm_hosts.every)}
        for address in self._watched.keys() - hosts.keys():
            host, task = self._watched.pop(address)
            task.cancel()
            await asyncio.wait({task})  # our own cancellation goes through
            self._before.pop(address, None)
            await self._rooms.let_go(host)
        for address in hosts.keys() - self._watched.keys():
            host = hosts[address]
            self._watched[address] = host, group.create_task(self._watch(host), name=f"host {host.name}")

    async def _watch(self, host: KnownHost) -> None:
        changed = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear(host, changed), name=f"events of host {host.name}")
            while True:
                changed.clear()
                with Surviving(log, f"what happens on {host.name} is not told for now"):
                    await self.look(host)
                await asyncio.sleep(BREATH)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY):
                        await changed.wait()

    async def _hear(self, host: KnownHost, changed: asyncio.Event) -> None:
        while True:
            with Surviving(log, f"{host.name} is looked at now and then only"):
                await self._rooms.driver(host).watch(lambda _: changed.set())
            await asyncio.sleep(LOOK_EVERY)

    async def look(self, host: KnownHost) -> None:
        """Once; what became different is told."""
        after = await self._looking.vms_of(host)
        before, self._before[host.address] = self._before.get(host.address), after
        found = news(before, after, self._rooms.clock())
        if found:
            await record(self._rooms.store, self._bus, lambda _, tell: _tell(tell, found))
        elif has_changed(before, after):  # nothing to keep, and lists that are shown look different
            self._bus.publish(Event("vm.state", self._rooms.clock(), f"VMs on {host.name}", detail=host.detail))


def _tell(tell: Tell, found: list[Event]) -> None:
    for each in found:
        tell(each)


def _matters(item: Published) -> bool:
    return isinstance(item, Event) and item.kind in ("host.changed", "task.changed")
