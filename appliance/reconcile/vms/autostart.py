"""VMs that are to run are started after a start of the computer, one after the other; once for each such start.

libvirt knows neither their order nor pauses between them, so that its own way is left off.
"""

import asyncio
import logging
from dataclasses import dataclass

from appliance.accounts import APPLIANCE
from appliance.errors import ApplianceError
from appliance.events import Bus, Event
from appliance.reconcile.record import announce
from appliance.reconcile.surviving import Surviving
from appliance.reconcile.vms.host_rooms import HostRooms
from appliance.reconcile.vms.looking import Looking
from appliance.reconcile.vms.orders import Orders
from appliance.reconcile.vms.shown import VmView
from appliance.store import vm_work
from appliance.vm import Autostart, Order, VmId, VmState

log = logging.getLogger(__name__)

WHY = "it is started by itself after the computer was"
ALL = VmId("")
"""Noted as started once all are."""
AGAIN = 5.0
"""Seconds until another try, where a host does not answer yet, or a VM is being worked on."""


@dataclass(frozen=True, slots=True)
class Due:
    """A VM that is to be started."""

    view: VmView
    autostart: Autostart


class Autostarting:
    """``boot`` is the identifier of the computer's start; empty where nobody knows it: then nothing is started."""

    def __init__(self, rooms: HostRooms, looking: Looking, orders: Orders, bus: Bus, boot: str) -> None:
        self._rooms, self._looking, self._orders, self._bus = rooms, looking, orders, bus
        self._boot = boot

    async def run(self) -> None:
        """Ends once all are started, or were tried."""
        while self._boot:
            wait = await self._surviving_step()
            if wait is None:
                return
            await asyncio.sleep(wait)

    async def _surviving_step(self) -> float | None:
        with Surviving(log, "VMs are started later"):
            return await self.step()
        return AGAIN

    async def pass_by(self) -> None:
        """Start nothing before the computer is started anew: the first host came to be known only now."""
        while True:
            with Surviving(log, "that no VM is to be started is noted later"):
                await self._rooms.store.write(lambda db: vm_work.pass_by(db, self._rooms.clock()))
                await self.step()
                return
            await asyncio.sleep(AGAIN)

    async def step(self) -> float | None:
        """Start the next one; seconds until the one after it is due. None: there is none left."""
        store, now = self._rooms.store, self._rooms.clock()
        started = await store.read(lambda db: vm_work.started(db, self._boot))
        if ALL in started:
            return None
        if await store.read(vm_work.is_passed_by):
            await self._note(ALL)
            return None
        everything = await self._looking.everything()
        if any(each.trouble for each in everything.hosts if each.known.here):
            return AGAIN
        due = await self._due(everything.vms)
        pauses = [started[each.view.seen.id] + each.autostart.delay for each in due if each.view.seen.id in started]
        if (wait := max(pauses, default=now) - now) > 0:
            return wait
        left = [each for each in due if each.view.seen.id not in started]
        if not left:
            await self._note(ALL)
            return None
        return await self._start(left[0])

    async def _due(self, views: list[VmView]) -> list[Due]:
        found = []
        for view in views:
            if view.seen.ours and view.host.here and view.seen.stored:
                stored = (await self._looking.read(view)).stored
                if stored is not None and stored.autostart is not None:
                    found.append(Due(view, stored.autostart))
        return sorted(found, key=lambda each: (each.autostart.order, each.view.seen.name))

    async def _start(self, due: Due) -> float:
        """One that cannot be started keeps no other one from it."""
        seen, wait = due.view.seen, due.autostart.delay
        try:
            if seen.state is VmState.OFF:
                await self._orders.order(seen.id, Order.START, APPLIANCE, WHY)
            else:
                wait = 0.0  # it runs: the daemon was killed before it could note that, or somebody was faster
        except ApplianceError as error:
            if error.code in ("host-unreachable", "vm-busy"):
                return AGAIN
            detail = {**due.view.host.detail, "vm": seen.id, "name": seen.name}
            text = f"{seen.name} was not started after the computer was"
            await announce(
                self._rooms.store,
                self._bus,
                Event("vm.trouble", self._rooms.clock(), text, error.message, detail=detail),
            )
            wait = 0.0
        await self._note(seen.id)
        return wait

    async def _note(self, vm: VmId) -> None:
        now = self._rooms.clock()
        await self._rooms.store.write(lambda db: vm_work.put_started(db, self._boot, vm, now))
