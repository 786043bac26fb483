"""Which hosts there are to be, as users say it."""

import sqlite3
from dataclasses import replace

from appliance.accounts import Asker
from appliance.errors import Conflict
from appliance.events import Bus, Event
from appliance.reconcile import audit
from appliance.reconcile.record import Tell, record
from appliance.reconcile.vms.host_rooms import HostRooms
from appliance.reconcile.vms.looking import Looking
from appliance.reconcile.vms.shown import HostView
from appliance.store import vm_hosts, vm_work
from appliance.vm_work import HostId, KnownHost, check_address, check_host_name


class HostWishes:
    """Every method takes ``by``, who asked."""

    def __init__(self, rooms: HostRooms, looking: Looking, bus: Bus) -> None:
        self._rooms, self._looking, self._bus = rooms, looking, bus

    async def add(self, name: str, address: str, by: Asker) -> HostView:
        """A host is known once it has answered.

        Raises Invalid ``host-name``, ``host-address``; Conflict ``host-taken``; and what the host raises.
        """
        new = KnownHost(HostId(0), check_host_name(name), check_address(address), self._rooms.clock())
        await self._rooms.store.read(lambda db: vm_hosts.check_free(db, new))
        try:
            on = self._rooms.driver(new)
            view = HostView(new, await on.look(), "", await on.vms(), new.created)
            return replace(view, known=await self._stored(new, by))
        except Exception:
            if all(each.address != new.address for each in await self._rooms.known()):
                await self._rooms.let_go(new)
            raise

    async def _stored(self, new: KnownHost, by: Asker) -> KnownHost:
        def job(db: sqlite3.Connection, tell: Tell) -> KnownHost:
            host = vm_hosts.add(db, new)
            audit.note(db, by, "host.add", ("host", host.id, host.name), None, host, now=new.created)
            tell(Event("host.changed", new.created, f"{by} added the host {host.name}", detail=host.detail))
            return host

        return await record(self._rooms.store, self._bus, job)

    async def remove(self, key: str, by: Asker) -> None:
        """It is forgotten, and everything on it runs on. Raises Conflict ``host-own``, ``host-busy``."""
        host = await self._rooms.get(key)
        if host.own:
            text = "the appliance is a host as long as libvirt runs on it"
            raise Conflict("host-own", text, "delete its VMs, where you want none")
        now = self._rooms.clock()

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            if works := vm_work.every(db, host.id):
                text = f"task {works[0].task} ({works[0].deed}) is under way with {works[0].name} on {host.name}"
                raise Conflict("host-busy", text, "wait until that has ended, or cancel it")
            vm_hosts.delete(db, host.id)
            audit.note(db, by, "host.remove", ("host", host.id, host.name), host, None, now=now)
            why = "its VMs run on, and are not looked at any more"
            tell(Event("host.changed", now, f"{by} removed the host {host.name}", why, detail=host.detail))

        await record(self._rooms.store, self._bus, job)
        await self._rooms.let_go(host)
