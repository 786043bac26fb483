"""A VM is deleted: switched off, its definition removed, then its volumes deleted or given back. Begun, it is ended."""

from appliance.errors import ApplianceError
from appliance.reconcile.jobs import JobFailed
from appliance.reconcile.vms.disk_volumes import DiskVolumes
from appliance.reconcile.vms.host_rooms import HostRooms
from appliance.reconcile.vms.looking import Looking
from appliance.reconcile.vms.making import Result, Told, result
from appliance.reconcile.vms.works import Works
from appliance.vm import Order, VmState
from appliance.vm_work import KnownHost, VmWork


class Deleting:
    """Each step may be done once more, by a daemon that knows nothing of the first time."""

    def __init__(self, rooms: HostRooms, looking: Looking, volumes: DiskVolumes, works: Works) -> None:
        self._rooms, self._looking, self._volumes, self._works = rooms, looking, volumes, works

    async def delete(self, host: KnownHost, work: VmWork, told: Told) -> Result:
        """Its end. Raises what its host raises; JobFailed where the VM is gone, and volumes of it are not."""
        await told(0.0, "switching it off")
        async with self._rooms.alone(work.vm):
            there = await self._looking.is_there(host, work.vm)
            if there is not None:
                if there.seen.state is not VmState.OFF:
                    await self._rooms.driver(host).order(work.vm, Order.OFF)
                await self._rooms.driver(host).undefine(work.vm)
        stay = await self._without_volumes(work)
        await self._works.done(work, work.was, None, f"these volumes stay: {'; '.join(stay)}" if stay else "")
        if stay:
            text = f"{work.name} is deleted, and these volumes stay: {'; '.join(stay)}"
            raise JobFailed("vm-volumes-stay", text, result(work))
        return result(work)

    async def _without_volumes(self, work: VmWork) -> list[str]:
        """Those that could not be deleted, with the reasons; they are nobody's then."""
        stay = []
        for each in work.volumes:
            try:
                if each.made:
                    await self._volumes.removed(each)
            except ApplianceError as error:
                stay.append(f"{each.name} ({error.message})")
            await self._volumes.given_back(each, work.vm)
        return stay

    async def give_back(self, host: KnownHost | None, work: VmWork) -> None:
        """It was given up: where its definition is gone already, the volumes that are left are nobody's."""
        if host is None or await self._looking.is_there(host, work.vm) is not None:
            return
        for each in work.volumes:
            await self._volumes.given_back(each, work.vm)
