"""Samples what VMs use, each host by itself: one that hangs costs nobody else a figure."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from appliance.errors import ApplianceError
from appliance.events import Bus, Measured
from appliance.hypervisor.driver import HostDriver
from appliance.reconcile.surviving import Surviving
from appliance.reconcile.vm_statistics.keeping import EVERY as WRITTEN_EVERY
from appliance.reconcile.vm_statistics.keeping import Keeping
from appliance.reconcile.vm_statistics.series import Series
from appliance.store.store import Store
from appliance.vm import VmId
from appliance.vm_points import EVERY, HOUR
from appliance.vm_usage import Rates, Usage, rates

log = logging.getLogger(__name__)

Hosts = Callable[[], Awaitable[Mapping[str, HostDriver]]]
"""The hosts that are to be sampled, by their names."""
SHARE = 10
"""A host that takes long to answer is asked for a tenth of its time at most."""
LAST_WRITE = 5.0
"""Seconds that the daemon's end waits for the disk."""


@dataclass(slots=True)
class Live:
    """A VM that runs."""

    host: str
    usage: Usage
    at: float
    """Seconds of the loop's clock."""
    wall: float
    """Unix time."""
    rates: Rates


@dataclass(slots=True)
class Known:
    """All that is in memory; some 10 kB for each VM that ran within the last hour."""

    live: dict[VmId, Live] = field(default_factory=dict)
    series: dict[VmId, Series] = field(default_factory=dict)
    there: dict[str, frozenset[VmId]] = field(default_factory=dict)
    """The VMs of each host, as it said when it was asked last; a host that did not answer then is not in it."""

    def take(self, host: str, counted: Iterable[Usage], at: float, wall: float) -> None:
        """What a host has said at that moment."""
        found = list(counted)
        self.there[host] = frozenset(each.id for each in found)
        for usage in found:
            if usage.run is not None:
                self._take(host, usage, at, wall)
        runs = {each.id for each in found if each.run is not None}
        self._end({key for key, live in self.live.items() if live.host == host} - runs)

    def _take(self, host: str, usage: Usage, at: float, wall: float) -> None:
        last = self.live.get(usage.id)
        known = last if last and last.host == host else None
        found = rates(known.usage if known else None, usage, at - known.at if known else 0.0)
        self.live[usage.id] = Live(host, usage, at, wall, found)
        self.series.setdefault(usage.id, Series()).put(at, wall, found.figures)

    def silent(self, host: str) -> None:
        """A host does not answer: what was live there is not known any more."""
        self.there.pop(host, None)
        self._end({key for key, live in self.live.items() if live.host == host})

    def _end(self, keys: Iterable[VmId]) -> None:
        for key in keys:
            del self.live[key]

    def tidy(self, at: float) -> None:
        """Forget those that have not run for an hour, and of which the disk has everything."""
        for key in [key for key, each in self.series.items() if each.last < at - HOUR and key not in self.live]:
            self.series[key].close()
            if not self.series[key].rows():
                del self.series[key]


class Sampling:
    """``known`` is for whoever shows it. ``clock`` is Unix time."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], hosts: Hosts) -> None:
        self.known = Known()
        self._bus, self._clock, self._hosts = bus, clock, hosts
        self._keeping = Keeping(store)
        self._sampled: dict[str, tuple[HostDriver, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Until cancelled; then what was measured goes to the disk once more."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep(), name="VM statistics on the disk")
                while True:
                    await self._follow(tasks)
                    await asyncio.sleep(EVERY)
        finally:
            for each in self.known.series.values():
                each.close()
            with Surviving(log, "statistics of VMs of the last minutes are lost"):
                async with asyncio.timeout(LAST_WRITE):
                    await self._keeping.write(self.known.series, self._clock())

    def host_of(self, vm: VmId) -> HostDriver | None:
        """Where it was when its host was asked last; None where nobody knows."""
        live = self.known.live.get(vm)
        there = (name for name, ids in self.known.there.items() if vm in ids)
        name = live.host if live else next(there, "")
        return self._sampled[name][0] if name in self._sampled else None

    async def _follow(self, tasks: asyncio.TaskGroup) -> None:
        """A task for each host that there is by now."""
        with Surviving(log, "which hosts of VMs there are is looked up later"):
            self._follow_these(await self._hosts(), tasks)

    def _follow_these(self, hosts: Mapping[str, HostDriver], tasks: asyncio.TaskGroup) -> None:
        for name, (host, task) in tuple(self._sampled.items()):
            if hosts.get(name) is not host:
                task.cancel()
                del self._sampled[name]
                self.known.silent(name)
        for name, host in hosts.items():
            if name not in self._sampled:
                task = tasks.create_task(self._sample(name, host), name=f"VM statistics of {name}")
                self._sampled[name] = (host, task)

    async def _sample(self, name: str, host: HostDriver) -> None:
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            with Surviving(log, f"what VMs on {name} use is not known at this moment"):
                await self._sample_once(name, host)
            await asyncio.sleep(pause(loop.time() - begun))

    async def _sample_once(self, name: str, host: HostDriver) -> None:
        try:
            counted = await host.statistics()
        except ApplianceError:  # whoever looks at the host says why
            self.known.silent(name)
            return
        self.known.take(name, counted, asyncio.get_running_loop().time(), self._clock())
        self._bus.publish(Measured(name))

    async def _keep(self) -> None:
        loop, known = asyncio.get_running_loop(), self.known
        while True:
            await asyncio.sleep(WRITTEN_EVERY)
            with Surviving(log, "statistics of VMs are kept later"):
                await self._write()
            known.tidy(loop.time())

    async def _write(self) -> None:
        known = self.known
        await self._keeping.write(known.series, self._clock())
        await self._keeping.grow_old(self._clock())
        if self._sampled and self._sampled.keys() == known.there.keys():  # each has answered
            await self._keeping.forget(frozenset().union(*known.there.values()) | known.series.keys())


def pause(taken: float) -> float:
    """Seconds until a host is asked again that took so long to answer."""
    return max(EVERY - taken, taken * (SHARE - 1), 1.0)
