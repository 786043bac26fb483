"""Seeds of VMs as discs: made for one VM each, readable for it and for nobody else, and gone with it."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.events import Bus, Event, Published
from appliance.on_disk import put, sync
from appliance.reconcile.surviving import Surviving
from appliance.reconcile.vm_readers import let_read, reader
from appliance.seed_disc import SeedWish, checked, seed_disc
from appliance.vm import VmId
from appliance.vm_check import check_id

log = logging.getLogger(__name__)

DIRECTORY = "seeds"
"""In the state directory."""
LOOK_EVERY = 3600.0
"""Seconds between two looks for discs of VMs that are gone, where no event tells of one."""

Present = Callable[[], Awaitable[Collection[VmId] | None]]
"""All VMs that there are or that are being made; None where a host does not answer, and nobody knows."""


class SeedDiscs:
    """Owns ``<state_dir>/seeds``. What is in it has passwords, and stands in no backup."""

    def __init__(self, state_dir: Path, clock: Callable[[], float]) -> None:
        self._state_dir, self._clock = state_dir, clock
        self.directory = state_dir / DIRECTORY
        self._reader = reader()

    def path(self, vm: VmId) -> Path:
        """Where the disc of a VM is; raises Invalid ``vm-id``."""
        return self.directory / f"{check_id(vm)}.iso"

    async def make(self, vm: VmId, wish: SeedWish) -> Path:
        """The disc, in place of an older one of that VM; a drive that has the older one keeps it until it is changed.

        To be called once it stands in the store that the VM is being made: ``tidy`` removes what is of no VM. Raises
        Invalid as ``cloud_init`` does; ApplianceError ``seed-failed``.
        """
        content, path = seed_disc(vm, checked(wish), self._clock()), self.path(vm)
        try:
            await asyncio.to_thread(self._put, path, content)
        except OSError as error:
            text = f"the seed could not be stored: {error.strerror}"
            raise ApplianceError("seed-failed", text, "free some space, then try again") from None
        return path

    def _put(self, path: Path, content: bytes) -> None:
        self.directory.mkdir(mode=0o700, exist_ok=True)
        put(path, content)
        let_read(path, (self._state_dir, self.directory), self._reader)

    async def remove(self, vm: VmId) -> None:
        """It is gone; no mistake where there is none."""
        await asyncio.to_thread(_removed, [self.path(vm)])

    async def run(self, bus: Bus, present: Present) -> None:
        """Remove discs whose VMs are gone, and let VMs read the others; runs until cancelled."""
        with Surviving(log, "VMs may not be able to read their seeds"):
            await asyncio.to_thread(self._let_read_all)
        with bus.subscribe(16) as subscription:
            while True:
                with Surviving(log, "seeds of deleted VMs stay"):
                    await self.tidy(present)
                await subscription.woken(_of_a_vm, LOOK_EVERY)

    async def tidy(self, present: Present) -> None:
        """Once. Where nobody knows which VMs there are, everything stays."""
        discs = await asyncio.to_thread(self._discs)
        if not discs or (there := await present()) is None:
            return
        await asyncio.to_thread(_removed, [each for each in discs if each.name.partition(".")[0] not in there])

    def _discs(self) -> list[Path]:
        """And what a crash left of them."""
        return sorted(self.directory.glob("*.iso*")) if self.directory.is_dir() else []

    def _let_read_all(self) -> None:
        for each in self._discs():
            let_read(each, (self._state_dir, self.directory), self._reader)


def _of_a_vm(item: Published) -> bool:
    return isinstance(item, Event) and item.kind == "vm.changed"


def _removed(paths: Collection[Path]) -> None:
    for each in paths:
        try:
            os.unlink(each)
        except FileNotFoundError:
            continue
        except OSError as error:
            log.warning("the seed %s is left over and could not be removed: %s", each, error.strerror)
            continue
        with suppress(OSError):
            sync(each.parent)
