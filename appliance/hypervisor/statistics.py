"""What VMs use, asked of their host: all of them in one question, which none that is stuck can hold up."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from appliance.hypervisor.connection import Connection, Libvirt, library
from appliance.vm import VmId
from appliance.vm_host import unreachable
from appliance.vm_usage import DiskUse, NicUse, Usage

SECONDS = 15.0
"""For all VMs of a host."""
ASKED = ("STATE", "CPU_TOTAL", "BALLOON", "INTERFACE", "BLOCK")
"""libvirt's groups of figures (virDomainStatsTypes)."""
_OFF = 5
"""virDomainState."""


class Statistics(Protocol):
    """A host that counts what its VMs use."""

    async def statistics(self) -> tuple[Usage, ...]:
        """What was counted of each VM, others' too; also those that are off, with nothing counted.

        A VM with which the host does something else lacks what cannot be told at once. Raises ApplianceError as a
        ``HostDriver`` does, ``host-unreachable`` also while the last question is not answered yet.
        """
        ...


class KvmStatistics:
    """Asks libvirt. One question at a time: a host that hangs costs one thread, the others are for orders."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._asking = threading.Lock()

    async def read(self) -> tuple[Usage, ...]:
        """As ``Statistics`` says."""
        return await self._connection.ask(self._read, SECONDS)

    def _read(self, on: Libvirt) -> tuple[Usage, ...]:
        if not self._asking.acquire(blocking=False):
            raise unreachable(self._connection.address, "it has not said yet what its VMs use")
        try:
            return tuple(_counted(on))
        finally:
            self._asking.release()


def _counted(on: Libvirt) -> Iterator[Usage]:
    """libvirt's number of a VM that runs is another one after each start."""
    libvirt = library()
    groups = sum(getattr(libvirt, f"VIR_DOMAIN_STATS_{each}") for each in ASKED)
    for domain, said in on.getAllDomainStats(groups, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT):
        runs = said.get("state.state", _OFF) != _OFF
        yield usage(VmId(domain.UUIDString()), domain.ID() if runs else None, said)


def usage(key: VmId, run: int | None, said: Mapping[str, Any]) -> Usage:
    """What libvirt says of one VM (virConnectGetAllDomainStats); what it leaves out is None, or no device."""
    if run is None:
        return Usage(key, None)
    held = said.get("balloon.rss")
    memory = None if held is None else held << 10
    return Usage(key, run, said.get("cpu.time"), memory, _used(said), _disks(said), _nics(said))


def _used(said: Mapping[str, Any]) -> int | None:
    """Caches are given up when memory is needed, so they do not count where the system's driver tells of them."""
    whole, rest = said.get("balloon.available"), said.get("balloon.usable", said.get("balloon.unused"))
    return None if whole is None or rest is None else max(0, whole - rest) << 10


def _disks(said: Mapping[str, Any]) -> tuple[DiskUse, ...] | None:
    if "block.count" not in said:
        return None
    names = ("rd.bytes", "wr.bytes", "rd.reqs", "wr.reqs")
    return tuple(DiskUse(said[f"{at}.name"], *counts) for _, at, counts in _devices(said, "block", names))


def _nics(said: Mapping[str, Any]) -> tuple[NicUse, ...] | None:
    if "net.count" not in said:
        return None
    devices = _devices(said, "net", ("rx.bytes", "tx.bytes"))
    return tuple(NicUse(number, said[f"{at}.name"], *counts) for number, at, counts in devices)


def _devices(said: Mapping[str, Any], kind: str, names: tuple[str, ...]) -> Iterator[tuple[int, str, list[int]]]:
    """Their numbers, what their keys begin with, and what was counted; those of which that is not said are left out."""
    for number in range(said[f"{kind}.count"]):
        at = f"{kind}.{number}"
        if all(f"{at}.{name}" in said for name in ("name", *names)):
            yield number, at, [said[f"{at}.{name}"] for name in names]
