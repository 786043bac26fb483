"""Work on VMs that is stored before anything of it is done, with its task; and how its end is noted and told."""

import sqlite3
from dataclasses import replace

from appliance.events import Bus, Event
from appliance.reconcile import audit
from appliance.reconcile.jobs import open_job
from appliance.reconcile.record import Tell, record
from appliance.reconcile.vms.host_rooms import HostRooms
from appliance.store import vm_work
from appliance.task import Task
from appliance.vm import Vm
from appliance.vm_work import VmDeed, VmWork

_TITLES = {
    VmDeed.CREATE: "Making the VM {name}",
    VmDeed.DELETE: "Deleting the VM {name}",
    VmDeed.SHUT_DOWN: "Shutting down the VM {name}",
    VmDeed.ADD_DISK: "Adding a disk to the VM {name}",
}
_DONE = {
    VmDeed.CREATE: "{by} made the VM {name}",
    VmDeed.DELETE: "{by} deleted the VM {name}",
    VmDeed.SHUT_DOWN: "{by} shut down {name}",
    VmDeed.ADD_DISK: "{by} added a disk to {name}",
}


class Works:
    """One for all that takes a while."""

    def __init__(self, rooms: HostRooms, bus: Bus) -> None:
        self._rooms, self._store, self._bus = rooms, rooms.store, bus

    async def open(self, work: VmWork) -> Task:
        """The task that does it. Raises Conflict ``vm-busy`` where something is under way with that VM."""

        def job(db: sqlite3.Connection, tell: Tell) -> Task:
            stored = vm_work.add(db, work)
            title, about = _TITLES[work.deed].format(name=work.name), {"vm": work.vm, "name": work.name}
            task = open_job(db, tell, work.deed, title, work.by, work.at, about)
            vm_work.put(db, replace(stored, task=task.id))
            return task

        return await record(self._store, self._bus, job)

    async def noted(self, work: VmWork) -> None:
        """How far it is."""
        await self._store.write(lambda db: vm_work.put(db, work))

    async def done(self, work: VmWork, before: Vm | None, after: Vm | None, reason: str = "") -> None:
        """It has ended well: forgotten, told, and in the audit log, in one transaction."""
        now = self._rooms.clock()

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            if vm_work.find(db, work.id) is None:
                return
            vm_work.drop(db, work.id)
            audit.note(db, work.by, work.deed, ("vm", work.vm, work.name), before, after, now=now)
            tell(self._event(db, work, _DONE[work.deed].format(by=work.by, name=work.name), reason, now))

        await record(self._store, self._bus, job)

    async def dropped(self, work: VmWork, how: str, why: str) -> None:
        """It has ended otherwise: ``how`` such as ``failed``."""
        now = self._rooms.clock()

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            if vm_work.find(db, work.id) is None:
                return
            vm_work.drop(db, work.id)
            tell(self._event(db, work, f"{_TITLES[work.deed].format(name=work.name)}: {how}", why, now))

        await record(self._store, self._bus, job)

    def _event(self, db: sqlite3.Connection, work: VmWork, text: str, reason: str, now: float) -> Event:
        kind = "vm.ordered" if work.deed is VmDeed.SHUT_DOWN else "vm.changed"
        detail = {"host": work.host, "vm": work.vm, "name": work.name, "deed": work.deed, "task": work.task}
        return Event(kind, now, text, reason, detail=detail)
