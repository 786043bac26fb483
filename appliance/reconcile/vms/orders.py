"""What is done to a VM at once: switched, paused, reset. Once, with its lock; what is so already is done."""

import sqlite3
from collections.abc import Mapping

from appliance.accounts import Asker
from appliance.errors import Conflict
from appliance.events import Bus, Event
from appliance.reconcile import audit
from appliance.reconcile.record import Tell, record
from appliance.reconcile.vms.host_rooms import HostRooms
from appliance.reconcile.vms.looking import Looking
from appliance.reconcile.vms.shown import VmView
from appliance.store import vm_work
from appliance.vm import Order, is_to_be_done
from appliance.vm_host import check_ours
from appliance.vm_work import KnownHost, VmDeed

DONE: Mapping[Order, str] = {
    Order.START: "started",
    Order.PAUSE: "paused",
    Order.RESUME: "resumed",
    Order.RESET: "reset",
    Order.ASK_AGENT: "asked the system of {name} to shut down, through its agent",
    Order.ASK_ACPI: "pressed the power button of",
    Order.OFF: "switched off",
}
"""In words, before the name of the VM, or around it."""


class Orders:
    """One for all who order something."""

    def __init__(self, rooms: HostRooms, looking: Looking, bus: Bus) -> None:
        self._rooms, self._looking, self._bus = rooms, looking, bus

    async def order(self, key: str, order: Order, by: Asker, reason: str = "") -> VmView:
        """Carried out once this returns; what asks the VM's own system takes its time, or does nothing.

        Raises NotFound ``vm-unknown``; Conflict ``vm-state``, ``vm-foreign``, ``vm-busy``, ``vm-agent-silent``; and
        what the host raises.
        """
        view = await self._looking.find(key)
        check_ours(view.seen)
        host = await self._rooms.kept(view.host)
        async with self._rooms.alone(view.seen.id):
            await self._check_free(view, order)
            due = is_to_be_done(order, view.seen.state, view.seen.name)
            await self._rooms.driver(host).order(view.seen.id, order)
            if due:
                await self.note(host, view, order, by, reason)
        return view

    async def note(self, host: KnownHost, view: VmView, order: Order, by: Asker, reason: str) -> None:
        """It was carried out."""
        seen, now = view.seen, self._rooms.clock()

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            audit.note(db, by, f"vm.{order}", ("vm", seen.id, seen.name), {"state": seen.state}, {}, now=now)
            detail = {**host.detail, "vm": seen.id, "name": seen.name, "order": order}
            tell(Event("vm.ordered", now, f"{by} {done(order, seen.name)}", reason, detail=detail))

        await record(self._rooms.store, self._bus, job)

    async def _check_free(self, view: VmView, order: Order) -> None:
        """Whoever loses patience with a system that shuts down may draw the plug."""
        work = await self._rooms.store.read(lambda db: vm_work.of_vm(db, view.seen.id))
        if work is None or (work.deed is VmDeed.SHUT_DOWN and order is Order.OFF):
            return
        text = f"task {work.task} ({work.deed}) is under way with {work.name}"
        raise Conflict("vm-busy", text, "wait until that has ended, or cancel it")


def done(order: Order, name: str) -> str:
    """Such as ``switched off web1``."""
    words = DONE[order]
    return words.format(name=name) if "{name}" in words else f"{words} {name}"
