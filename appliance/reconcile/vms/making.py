"""A VM is made: its volumes, then its definition; or a disk is added to one. What fails is taken back."""

from collections.abc import Awaitable, Callable
from typing import Any

from appliance.errors import ApplianceError
from appliance.reconcile.jobs import JobFailed
from appliance.reconcile.vms.disk_volumes import DiskVolumes
from appliance.reconcile.vms.host_rooms import HostRooms
from appliance.reconcile.vms.looking import Looking
from appliance.reconcile.vms.wish import with_paths
from appliance.reconcile.vms.works import Works
from appliance.vm import Order, Vm, VmState
from appliance.vm_work import DiskVolume, KnownHost, VmDeed, VmWork
from appliance.volume import Volume

Told = Callable[[float, str], Awaitable[None]]
"""Told how far it is, 0 to 1, before each step; raises JobCancelled where somebody has cancelled it."""
Result = dict[str, Any]


class Making:
    """Each step may be done once more, by a daemon that knows nothing of the first time."""

    def __init__(self, rooms: HostRooms, looking: Looking, volumes: DiskVolumes, works: Works) -> None:
        self._rooms, self._looking, self._volumes, self._works = rooms, looking, volumes, works

    async def make(self, host: KnownHost, work: VmWork, told: Told) -> Result:
        """Its end. Raises what its pools and its host raise; then ``take_back`` is due.

        JobFailed where it is made and does not start: that is not taken back.
        """
        assert work.wanted is not None, "it says what is to be made"
        found = await self._provided(work, told)
        vm = with_paths(work.wanted, found)
        await told(0.8, f"defining it on {host.name}")
        await self._defined(host, work, vm)
        if work.deed is VmDeed.CREATE and work.start:
            await told(0.9, "starting it")
            try:
                async with self._rooms.alone(work.vm):
                    await self._rooms.driver(host).order(work.vm, Order.START)
            except ApplianceError as error:
                await self._works.done(work, None, vm, f"it does not start: {error.message}")
                text = f"{work.name} is made, and does not start: {error.message}"
                raise JobFailed(error.code, text, result(work)) from error
        await self._works.done(work, work.was, vm)
        return result(work)

    async def _provided(self, work: VmWork, told: Told) -> dict[str, Volume]:
        found: dict[str, Volume] = {}
        for number, each in enumerate(work.volumes):
            await told(0.8 * number / len(work.volumes), f"making the volume {each.name}")
            found[each.target] = await self._volumes.provided(each, work.vm)
        return found

    async def _defined(self, host: KnownHost, work: VmWork, vm: Vm) -> None:
        """Once: what somebody else has changed of it since is not undone by a second time."""
        async with self._rooms.alone(work.vm):
            there = await self._looking.is_there(host, work.vm)
            if there is not None and (work.deed is VmDeed.CREATE or there.stored == vm):
                return
            await self._rooms.driver(host).define(vm, work.was)

    async def take_back(self, host: KnownHost | None, work: VmWork) -> str:
        """Nothing of it stays; what does nevertheless, in words.

        A definition goes before its disks: where the host does not say that it has none, they stay.
        """
        if host is not None and work.deed is VmDeed.CREATE:
            try:
                await self._undefined(host, work)
            except ApplianceError as error:
                stays = ", ".join(each.name for each in work.volumes)
                text = f"{work.name} may be defined on {host.name}: {error.message}"
                return f"{text}; its volumes stay: {stays}" if stays else text
        if host is not None and work.deed is VmDeed.ADD_DISK and await self._may_have(host, work):
            return f"it may have its disk already; the volume {work.volumes[0].name} stays"
        left = [each.name for each in work.volumes if not await self._gone(each, work)]
        return f"these volumes stay: {', '.join(left)}" if left else ""

    async def _undefined(self, host: KnownHost, work: VmWork) -> None:
        async with self._rooms.alone(work.vm):
            on, there = self._rooms.driver(host), await self._looking.is_there(host, work.vm)
            if there is not None and there.seen.state is not VmState.OFF:
                await on.order(work.vm, Order.OFF)
            if there is not None:
                await on.undefine(work.vm)

    async def _may_have(self, host: KnownHost, work: VmWork) -> bool:
        try:
            there = await self._looking.is_there(host, work.vm)
        except ApplianceError:
            return True
        vms = (there.stored, there.live) if there else ()
        keys = {each.id for each in work.volumes}
        return any(disk.serial in keys for vm in vms if vm for disk in vm.disks)

    async def _gone(self, disk: DiskVolume, work: VmWork) -> bool:
        try:
            if disk.made:
                await self._volumes.removed(disk)
            else:
                await self._volumes.given_back(disk, work.vm)
        except ApplianceError:
            return False
        return True


def result(work: VmWork) -> Result:
    """Of its task."""
    return {"vm": work.vm, "name": work.name}
