"""Pictures of screens, taken when somebody looks, and kept for the few seconds in which others look too."""

import asyncio
from dataclasses import dataclass
from weakref import WeakValueDictionary

from appliance.hypervisor.screenshots import Screenshots
from appliance.vm import VmId

FRESH = 5.0
"""Seconds that a picture is shown again."""
MOST = 16 << 20
"""Bytes that are kept at most."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A screen as it was."""

    png: bytes
    at: float
    """Seconds of the loop's clock."""


class Screens:
    """However many look at a VM, its host is asked for one picture in so many seconds."""

    def __init__(self) -> None:
        self._kept: dict[VmId, Picture] = {}
        self._locks: WeakValueDictionary[VmId, asyncio.Lock] = WeakValueDictionary()

    async def take(self, vm: VmId, host: Screenshots) -> Picture:
        """Raises as ``Screenshots`` does; a failure is not kept."""
        if (lock := self._locks.get(vm)) is None:
            lock = self._locks[vm] = asyncio.Lock()
        async with lock:
            self._drop_old()
            if found := self._kept.get(vm):
                return found
            png = await host.screenshot(vm)
            picture = Picture(png, asyncio.get_running_loop().time())
            self._keep(vm, picture)
            return picture

    def _keep(self, vm: VmId, picture: Picture) -> None:
        """The oldest make room."""
        self._kept[vm] = picture
        while sum(len(each.png) for each in self._kept.values()) > MOST:
            del self._kept[min(self._kept, key=lambda key: self._kept[key].at)]

    def _drop_old(self) -> None:
        now = asyncio.get_running_loop().time()
        for key in [key for key, each in self._kept.items() if each.at <= now - FRESH]:
            del self._kept[key]
