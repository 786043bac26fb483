"""The tasks that make, delete and shut down VMs: done to their end, taken back where they fail or are cancelled."""

import logging

from appliance.errors import ApplianceError, NotFound
from appliance.reconcile.jobs import JobCancelled, JobFailed, Running
from appliance.reconcile.surviving import Surviving
from appliance.reconcile.vms.conducting import Conducting
from appliance.reconcile.vms.deleting import Deleting
from appliance.reconcile.vms.looking import Looking
from appliance.reconcile.vms.making import Making, Result, Told
from appliance.reconcile.vms.works import Works
from appliance.store import vm_work
from appliance.store.store import Store
from appliance.vm_work import KnownHost, VmDeed, VmWork

log = logging.getLogger(__name__)

CANCELLED = "somebody cancelled it"


class VmJobs:
    """``run`` is what ``Jobs`` calls; ``tidy`` ends what tasks have left that were cancelled before they began."""

    def __init__(
        self, store: Store, looking: Looking, works: Works, making: Making, deleting: Deleting, conducting: Conducting
    ) -> None:
        self._store, self._looking, self._works = store, looking, works
        self._making, self._deleting, self._conducting = making, deleting, conducting

    async def run(self, running: Running) -> Result:
        """Do what the task is for; raises what its host and pools raise, JobFailed, and JobCancelled."""
        work = await self._store.read(lambda db: vm_work.of_task(db, running.task.id))
        if work is None:  # it was done, and the daemon ended before the task did
            return {key: running.task.arguments[key] for key in ("vm", "name")}

        async def told(fraction: float, message: str) -> None:
            if work.deed is not VmDeed.DELETE or not fraction:
                await running.check()
            await running.progress(fraction, message)

        try:
            return await self._carried_out(work, told)
        except JobFailed:
            raise
        except JobCancelled:
            if left := await self.take_back(work, "given up", CANCELLED):
                raise JobFailed("vm-left", f"it was cancelled, and {left}", {"vm": work.vm}) from None
            raise
        except ApplianceError as error:
            if left := await self.take_back(work, "failed", error.message):
                raise JobFailed(error.code, f"{error.message}; {left}", {"vm": work.vm}) from error
            raise
        except Exception as error:
            await self.take_back(work, "failed", f"a defect of the appliance: {error}"[:500])
            raise

    async def _carried_out(self, work: VmWork, told: Told) -> Result:
        host = await self._looking.host_of(work.host)
        if host is None:
            raise NotFound("vm-host-unknown", f"the host of {work.name} was removed", "look for it there by hand")
        match work.deed:
            case VmDeed.CREATE | VmDeed.ADD_DISK:
                return await self._making.make(host, work, told)
            case VmDeed.DELETE:
                return await self._deleting.delete(host, work, told)
            case VmDeed.SHUT_DOWN:
                return await self._conducting.shut_down(host, work, told)

    async def take_back(self, work: VmWork, how: str, why: str) -> str:
        """It ends here; what stays of it, in words."""
        left = ""
        if work.deed in (VmDeed.CREATE, VmDeed.ADD_DISK):
            host: KnownHost | None = await self._looking.host_of(work.host)
            left = await self._making.take_back(host, work)
        elif work.deed is VmDeed.DELETE:
            await self._deleting.give_back(await self._looking.host_of(work.host), work)
        await self._works.dropped(work, how, f"{why}; {left}" if left else why)
        return left

    async def tidy(self) -> None:
        """End the work of tasks that have ended before they came to it."""
        for work in await self._store.read(vm_work.strays):
            with Surviving(log, f"what is left of task {work.task} stays for now"):
                await self.take_back(work, "given up", CANCELLED)
