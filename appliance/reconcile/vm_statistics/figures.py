"""What VMs use and show, for whoever shows it to people and programs: the one door to this room."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from appliance.hypervisor.driver import HostDriver
from appliance.reconcile.vm_statistics.history import History, VmHistory
from appliance.reconcile.vm_statistics.sampling import Live, Sampling
from appliance.reconcile.vm_statistics.screens import Picture, Screens
from appliance.reconcile.vms.shown import VmView
from appliance.store.store import Store
from appliance.vm import VmId
from appliance.vm_figure import Span

Reach = Callable[[str], Awaitable[tuple[VmView, HostDriver]]]
"""The VM of an id or a name, and its host, both asked now; raises ApplianceError."""


@dataclass(frozen=True, slots=True)
class VmUse:
    """What a VM uses, and did."""

    live: Live | None
    """None where it does not run, or nobody knows yet."""
    history: History


class VmFigures:
    """``key`` is the id or the name of a VM; an id of one that is sampled costs its host nothing.

    Raises NotFound ``vm-unknown``, and what ``Vms.reach`` does for names.
    """

    def __init__(self, store: Store, sampling: Sampling, reach: Reach, clock: Callable[[], float]) -> None:
        self._sampling, self._reach, self._clock = sampling, reach, clock
        self._history, self._screens = VmHistory(store, sampling.known), Screens()

    async def use(self, key: str, span: Span) -> VmUse:
        """Figures of now, and of the last hour, day or week."""
        vm, _ = await self._find(key)
        now = asyncio.get_running_loop().time()
        return VmUse(self._history.live(vm), await self._history.of(vm, span, now, self._clock()))

    def live(self, vm: VmId) -> Live | None:
        """Figures of now, at no cost at all: for lists."""
        return self._history.live(vm)

    async def screenshot(self, key: str) -> Picture:
        """Its screen, as it was within the last seconds; raises as ``Screenshots`` does besides."""
        return await self._screens.take(*await self._find(key))

    async def _find(self, key: str) -> tuple[VmId, HostDriver]:
        if host := self._sampling.host_of(VmId(key)):
            return VmId(key), host
        view, host = await self._reach(key)
        return view.seen.id, host
