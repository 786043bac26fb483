"""The hosts that are known, each with its driver, which keeps a connection; and a lock for each VM."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from weakref import WeakValueDictionary

from appliance.errors import ApplianceError
from appliance.hypervisor.build import Surroundings, driver
from appliance.hypervisor.driver import HostDriver
from appliance.store import vm_hosts
from appliance.store.store import Store
from appliance.vm import VmId
from appliance.vm_work import OWN_ADDRESS, OWN_NAME, HostId, KnownHost


class HostRooms:
    """Cheap to build: nothing is opened before somebody asks for it.

    ``own`` says whether the appliance's own computer has a libvirt: then it is a host, and nobody has to say so.
    """

    def __init__(self, store: Store, clock: Callable[[], float], on: Surroundings, own: Callable[[], bool]) -> None:
        self.store, self.clock = store, clock
        self._on, self._own = on, own
        self._drivers: dict[str, HostDriver] = {}
        self._locks: WeakValueDictionary[VmId, asyncio.Lock] = WeakValueDictionary()

    async def known(self) -> list[KnownHost]:
        """All, the appliance first."""
        kept = await self.store.read(vm_hosts.every)
        if self._own() and not any(each.own for each in kept):
            kept.append(KnownHost(HostId(0), self._free_name(kept), OWN_ADDRESS, self.clock()))
        return sorted(kept, key=lambda each: (not each.own, each.name))

    def _free_name(self, kept: list[KnownHost]) -> str:
        taken = {each.name for each in kept}
        return next(name for name in (OWN_NAME, *(f"{OWN_NAME}-{n}" for n in range(2, 999))) if name not in taken)

    async def get(self, key: str) -> KnownHost:
        """The one of this name or number; raises NotFound ``vm-host-unknown``."""
        known = await self.known()
        found = next((each for each in known if each.name == key), None)
        found = found or next((each for each in known if str(each.id) == key), None)
        if found is None:
            raise vm_hosts.unknown(key)
        return found

    async def kept(self, host: KnownHost) -> KnownHost:
        """The same, in the store: something of ours is, or is to be, on it. From then on it is watched."""
        return host if host.id else await self.store.write(lambda db: vm_hosts.kept(db, host))

    def driver(self, host: KnownHost) -> HostDriver:
        """The one of all who ask: it keeps a connection. Raises Invalid ``host-address``."""
        if host.address not in self._drivers:
            self._drivers[host.address] = driver(host.address, self._on)
        return self._drivers[host.address]

    def alone(self, vm: VmId) -> asyncio.Lock:
        """Whoever has it changes this VM, for the length of one step; it is gone with whoever waits for it."""
        if (lock := self._locks.get(vm)) is None:
            lock = self._locks[vm] = asyncio.Lock()
        return lock

    async def let_go(self, host: KnownHost) -> None:
        """Nobody asks it any more; its VMs run on."""
        if (found := self._drivers.pop(host.address, None)) is not None:
            with suppress(ApplianceError):
                await found.close()

    async def close(self) -> None:
        """All of them."""
        for address in tuple(self._drivers):
            with suppress(ApplianceError):
                await self._drivers.pop(address).close()
