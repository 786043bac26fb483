"""Looks at hosts and their VMs, each time anew; a host that does not answer shows what it had when it last did."""

import asyncio
import socket
import sqlite3
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any

from appliance.errors import ApplianceError, NotFound
from appliance.hypervisor.consoles import ConsoleKind
from appliance.pool import KnownVolume
from appliance.reconcile.vms.host_rooms import HostRooms
from appliance.reconcile.vms.shown import Everything, HostView, VmDetail, VmView
from appliance.store import pools, vm_work
from appliance.vm import VmId, VmState
from appliance.vm_host import Found, Seen, unknown, unreachable
from appliance.vm_work import HostId, KnownHost
from appliance.volume import VolumeId

MARKED_WITHIN = 1.0
"""Seconds that a list waits for what is marked in it."""


class Looking:
    """Changes nothing."""

    def __init__(self, rooms: HostRooms) -> None:
        self._rooms, self._store = rooms, rooms.store
        self._last: dict[str, tuple[float, tuple[Seen, ...]]] = {}
        """By address: what is shown as old, and nothing else."""

    async def everything(self) -> Everything:
        """One question to each host, all of them at once."""
        known = await self._rooms.known()
        views = await _at_once(self.vms_of, known)
        return Everything(tuple(views), tuple(await self._store.read(vm_work.every)))

    async def vms_of(self, host: KnownHost) -> HostView:
        """The VMs of one host."""
        try:
            seen = await self._rooms.driver(host).vms()
        except ApplianceError as error:
            at, vms = self._last.get(host.address, (None, ()))
            return HostView(host, None, error.message, vms, at)
        now = self._rooms.clock()
        self._last[host.address] = (now, seen)
        return HostView(host, None, "", seen, now)

    async def open_console(self, view: VmView, kind: ConsoleKind) -> socket.socket:
        """What is said there is not for this room; who asks has to close it."""
        return await self._rooms.driver(view.host).consoles.open(view.seen.id, kind)

    async def hosts(self) -> list[HostView]:
        """With what they are and can do."""
        return await _at_once(self.host, await self._rooms.known())

    async def host(self, host: KnownHost) -> HostView:
        """One of them."""
        view = await self.vms_of(host)
        if view.trouble:
            return view
        try:
            return HostView(host, await self._rooms.driver(host).look(), "", view.vms, view.at)
        except ApplianceError as error:
            return HostView(host, None, error.message, view.vms, view.at)

    async def find(self, key: str) -> VmView:
        """The VM of this id or name, on whichever host; raises NotFound ``vm-unknown``, Conflict ``vm-ambiguous``.

        ApplianceError ``host-unreachable`` where it was last seen on a host that does not answer, or may be there.
        """
        everything = await self.everything()
        if (found := everything.named(key)) is not None:
            return found
        if silent := next((each for each in everything.hosts if each.trouble and each.at is None), None):
            text = f"there is no VM {key[:80]!r} on the hosts that answer, and {silent.known.name} does not"
            raise NotFound("vm-unknown", f"{text}: {silent.trouble}", "look at that host")
        raise NotFound("vm-unknown", f"there is no VM {key[:80]!r}", "list the VMs, then name one of them")

    async def get(self, key: str) -> VmDetail:
        """The same, with its definitions; raises what its host raises."""
        view = await self.find(key)
        found = await self.read(view)
        present = VmView(view.host, found.seen, self._rooms.clock(), work=view.work)
        return VmDetail(present, found, await self._volumes(found))

    async def needing_restart(self, views: Iterable[VmView]) -> dict[VmId, tuple[str, ...]]:
        """What a restart would change of each, by names of fields, as far as their hosts tell it in time."""
        found: dict[VmId, tuple[str, ...]] = {}

        async def mark(view: VmView) -> None:
            with suppress(ApplianceError):
                if fields := (await self.read(view)).needs_restart:
                    found[view.seen.id] = fields

        with suppress(TimeoutError):
            async with asyncio.timeout(MARKED_WITHIN), asyncio.TaskGroup() as group:
                for view in views:
                    if not view.old and view.seen.state not in (VmState.OFF, VmState.UNKNOWN):
                        group.create_task(mark(view), name=f"look at {view.seen.name}")
        return found

    async def read(self, view: VmView) -> Found:
        """What its host says; raises NotFound ``vm-unknown`` for one that is about to be made."""
        return await self._rooms.driver(view.host).read(view.seen.id)

    async def with_disc(self, path: str) -> list[str]:
        """Names of the VMs that have this file in a drive, as they run or as they are stored.

        Raises ApplianceError ``host-unreachable`` where a host does not say.
        """
        everything = await self.everything()
        if silent := next((each for each in everything.hosts if each.trouble), None):
            raise unreachable(silent.known.name, silent.trouble)
        names = []
        for view in everything.vms:
            found = await self.is_there(view.host, view.seen.id)
            vms = (found.stored, found.live) if found else ()
            if any(drive.path == path for vm in vms if vm for drive in vm.cdroms):
                names.append(view.seen.name)
        return names

    async def host_of(self, number: HostId) -> KnownHost | None:
        """The one with this number, where it is known still."""
        return next((each for each in await self._rooms.known() if each.id == number), None)

    async def is_there(self, host: KnownHost, key: VmId) -> Found | None:
        """None where that host has no such VM; raises what the host raises."""
        try:
            return await self._rooms.driver(host).read(key)
        except NotFound as error:
            if error.code != unknown(key).code:
                raise
            return None

    async def _volumes(self, found: Found) -> dict[str, KnownVolume]:
        vm = found.stored or found.live
        disks = {each.target: VolumeId(each.serial) for each in (vm.disks if vm else ()) if each.serial}

        def job(db: sqlite3.Connection) -> dict[str, KnownVolume]:
            return {target: known for target, key in disks.items() if (known := pools.volume(db, key)) is not None}

        return await self._store.read(job)


async def _at_once(
    look: Callable[[KnownHost], Coroutine[Any, Any, HostView]], hosts: Sequence[KnownHost]
) -> list[HostView]:
    """One host that takes its time keeps no other one waiting."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(look(each), name=f"look at {each.name}") for each in hosts]
    return [each.result() for each in tasks]
