"""Virtual machines, which many computers have none of: what works with them is imported when it is first needed."""

import asyncio
import logging
import os
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance import last_run
from appliance.assembly.ground import Ground
from appliance.assembly.parts import Run
from appliance.assembly.pools import Storage
from appliance.reconcile.isos import Isos
from appliance.reconcile.jobs import JobKind, Running
from appliance.reconcile.surviving import Surviving
from appliance.store import isos as stored_isos
from appliance.store.census import has_hosts
from appliance.task import VMS, VMS_BULK
from appliance.vm import VmId

if TYPE_CHECKING:
    from appliance.reconcile.seed_discs import SeedDiscs
    from appliance.reconcile.vm_statistics.parts import FigureParts
    from appliance.reconcile.vms.parts import VmParts

log = logging.getLogger(__name__)

SOCKETS = (Path("/run/libvirt/libvirt-sock"), Path("/run/libvirt/virtqemud-sock"))
"""Where there is one of these, the appliance's own computer is a host."""


class VirtualMachines:
    """``parts`` are built at the first look at them, at the latest when the daemon finds a host in its store."""

    def __init__(self, on: Ground, storage: Storage, isos: Isos) -> None:
        self._on, self._storage, self._isos = on, storage, isos
        self._needed = asyncio.Event()
        isos.in_drives = self._in_drives

    @cached_property
    def parts(self) -> "VmParts":
        """For whoever answers people and programs."""
        from appliance.hypervisor.build import Surroundings
        from appliance.reconcile.vms.parts import Around, vm_parts

        self._needed.set()
        on = self._on
        around = Around(
            hosts=Surroundings(on.authority.fingerprint[:16]),
            own=lambda: any(each.exists() for each in SOCKETS),
            pools=lambda: self._storage.parts.rooms,
            discs=self._disc,
            boot=last_run.boot_id(os.environ),
        )
        return vm_parts(on.store, on.bus, on.clock, around)

    @cached_property
    def figures(self) -> "FigureParts":
        """What VMs use, for whoever shows it."""
        from appliance.reconcile.vm_statistics.parts import figure_parts

        return figure_parts(self._on.store, self._on.bus, self._on.clock, self.parts.rooms, self.parts.vms)

    @cached_property
    def seeds(self) -> "SeedDiscs":
        """What cloud-init finds in the drives of VMs."""
        from appliance.reconcile.seed_discs import SeedDiscs

        return SeedDiscs(self._on.state, self._on.clock)

    def loops(self) -> dict[str, Run]:
        """They rest until they are needed."""
        return {
            "virtual machines": self._watch,
            "autostart of VMs": self._autostart,
            "VM statistics": self._measure,
            "seeds of VMs": self._keep_seeds,
        }

    def jobs(self) -> dict[str, JobKind]:
        """They wait for hosts and pools, most of the time. What is cut off is gone on with."""
        return {
            **{kind: JobKind(self._job, resumes=True, waits=True) for kind in VMS},
            VMS_BULK: JobKind(self._bulk, resumes=True),
        }

    async def _watch(self) -> None:
        await self._need()
        await self.parts.watch.run()

    async def _autostart(self) -> None:
        """Then it has nothing more to do, and a loop of the daemon never ends."""
        if not await self._need():
            await self.parts.autostarting.pass_by()
        await self.parts.autostarting.run()
        await asyncio.Event().wait()

    async def _measure(self) -> None:
        await self._need()
        await self.figures.sampling.run()

    async def _keep_seeds(self) -> None:
        await self._need()
        await self.seeds.run(self._on.bus, self._present)

    async def _present(self) -> Collection[VmId] | None:
        """All VMs, those that are being made too; None where a host does not answer."""
        everything = await self.parts.vms.list()
        if any(each.trouble for each in everything.hosts):
            return None
        return {each.seen.id for each in everything.vms}

    async def _need(self) -> bool:
        """Whether there was a host from the beginning."""
        with Surviving(log, "VMs of the store's hosts wait until somebody looks at them"):
            if await self._on.store.read(has_hosts):
                return True
        await self._needed.wait()
        return False

    async def _job(self, running: Running) -> dict[str, Any]:
        return await self.parts.jobs.run(running)

    async def _bulk(self, running: Running) -> dict[str, Any]:
        from appliance.reconcile import vm_bulk

        return await vm_bulk.run(self.parts.vms, self._on.clock, running)

    async def _disc(self, key: str) -> str:
        """The path of an ISO; raises NotFound ``iso-unknown``."""
        return str(self._isos.path(await self._on.store.read(lambda db: stored_isos.get(db, key))))

    async def _in_drives(self, path: Path) -> Sequence[str]:
        """Names of the VMs that have the file in a drive; nobody has where nothing of ours is on any host."""
        if not await self._on.store.read(has_hosts):
            return ()
        return await self.parts.vms.with_disc(str(path))
