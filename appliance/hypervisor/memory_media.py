"""Discs of a host that is nothing but values."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Protocol

from appliance.hypervisor.media import tray_locked, with_disc
from appliance.vm import Vm, VmId
from appliance.vm_check import checked


class Kept(Protocol):
    """A VM of such a host."""

    stored: Vm
    live: Vm | None


class MemoryMedia:
    """``own`` looks a VM up, and refuses foreign ones; the systems of those in ``locked`` keep their drives shut."""

    def __init__(
        self, own: Callable[[VmId], Kept], locked: Collection[VmId], tell: Callable[[VmId, str], None]
    ) -> None:
        self._own, self._locked, self._tell = own, locked, tell

    async def change(self, key: VmId, target: str, path: str, *, force: bool = False) -> None:
        """As the seam says."""
        kept = self._own(key)
        has = {each.target for each in kept.live.cdroms} if kept.live else set()
        stored = {each.target for each in kept.stored.cdroms}
        wanted = checked(with_disc(kept.stored, target, path)) if target in stored or target not in has else kept.stored
        if kept.live and target in has:
            live = with_disc(kept.live, target, path)
            if live != kept.live and key in self._locked and not force:
                raise tray_locked(kept.stored.name, target)
            kept.live = replace(live)
        kept.stored = wanted
        self._tell(key, "a disc was changed")
