"""Keeps exports as the store wants them: what nobody wants is cut, what a restart has ended is granted again."""

import logging
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from appliance.errors import ApplianceError
from appliance.events import Bus, Event
from appliance.pool import KnownPool
from appliance.privileged.verbs.exports import Exported
from appliance.reconcile.record import announce
from appliance.reconcile.root_volumes.comparing import Stray, absent, is_idle, strays
from appliance.reconcile.root_volumes.exporting import Exporting, Site
from appliance.reconcile.root_volumes.steps import Steps, granted
from appliance.reconcile.root_volumes.whereabouts import address_of
from appliance.reconcile.surviving import Surviving
from appliance.root_volume import RootVolume, has_moved, moved
from appliance.store import attempts, deployments, machines, pools, root_volumes
from appliance.store.store import Store
from appliance.volume import VolumeId

log = logging.getLogger(__name__)


class Keeping:
    """``look`` may be called at any time, and changes nothing where all is as it is wanted."""

    def __init__(
        self, store: Store, bus: Bus, clock: Callable[[], float], exporting: Exporting, site: Site, steps: Steps
    ) -> None:
        self._store, self._bus, self._clock = store, bus, clock
        self._exporting, self._site, self._steps = exporting, site, steps
        self._compared = False
        self._troubled: dict[VolumeId, str] = {}
        """What was told of each, so that it is told once."""

    async def look(self) -> None:
        """Compare, and act. What fails of one root volume is told, and tried again at the next look."""
        if self._compared and not await self._store.read(root_volumes.every):
            return
        if await self._store.read(root_volumes.stray):
            await self._store.write(_doom_stray)
        for root in await self._store.read(_idle):
            await self._of(root, self._cut_idle)
        for root in await self._store.read(self._moved):
            await self._of(root, self._move)
        await self._compare()
        self._compared = True
        for root in await self._store.read(root_volumes.every):
            if root.doomed:
                await self._of(root, self._steps.tidy)

    async def _of(self, root: RootVolume, act: Callable[[RootVolume], Awaitable[object]]) -> None:
        """Do it; an error is told once, until there is another, or none."""
        try:
            await act(root)
        except ApplianceError as error:
            if self._troubled.get(root.volume) != error.code:
                self._troubled[root.volume] = error.code
                text = f"root volume {root.name}: {error.message}"
                await announce(self._store, self._bus, Event("root.trouble", self._clock(), text, error.hint))
        else:
            self._troubled.pop(root.volume, None)

    async def _cut_idle(self, root: RootVolume) -> None:
        """Where it is idle still: to cut the one before may have taken a while, in which a machine was started."""
        await self._steps.cut(root, lambda db: any(each.volume == root.volume for each in _idle(db)))

    # -- machines that have another address by now

    def _moved(self, db: sqlite3.Connection) -> list[RootVolume]:
        return [each for each in root_volumes.every(db) if not each.doomed and self._where(db, each) is not None]

    def _where(self, db: sqlite3.Connection, root: RootVolume) -> tuple[str, str] | None:
        """Addresses of machine and appliance, where these are others than those of its export."""
        if root.grant is None:
            return None
        machine = machines.find(db, root.grant.machine)
        address = address_of(db, machine, self._clock()) if machine else None
        server = self._site.server_for(address)
        if address is None or server is None:
            return None  # its subnet is not served now: it stays as it is
        return (address, server) if has_moved(root.grant, address, server) else None

    async def _move(self, root: RootVolume) -> None:
        """Access from where it was ends before it begins from where it is."""
        async with self._exporting.alone:
            there = await self._store.read(lambda db: root_volumes.find(db, root.volume))
            where = await self._store.read(lambda db: self._where(db, there) if there else None)
            if there is None or there.grant is None or where is None:
                return
            await self._exporting.revoke(there.grant.export.kind, there.grant.export.id)
            after = replace(there, grant=replace(moved(there.grant, *where), since=self._clock()))
            await self._store.write(lambda db: root_volumes.put(db, after))
            await self._grant(after, serve=True)
        text, why = f"{root.name} is exported to {where[0]} from now on", "its machine has another address"
        await announce(self._store, self._bus, Event("root.export", self._clock(), text, why, there.grant.machine))

    # -- what the kernel has

    async def _compare(self) -> None:
        async with self._exporting.alone:
            found = (await self._exporting.found()).found
            roots = await self._store.read(root_volumes.every)
            for stray in strays(found, roots):
                await self._cut(stray, found)
            gone = absent(found, roots)
            for serve in (False, True):  # a server that answers before it has them tells machines that they are gone
                for root in gone:
                    await self._of(root, partial(self._grant, serve=serve))
        if gone:
            names = ", ".join(each.name for each in gone[:10]) + (" and more" if len(gone) > 10 else "")
            text, why = f"exports were granted again: {names}", "they were gone, as after a restart of the appliance"
            await announce(self._store, self._bus, Event("root.export", self._clock(), text, why))

    async def _cut(self, stray: Stray, found: tuple[Exported, ...]) -> None:
        with Surviving(log, f"export {stray.id} that nobody wants stays for now"):
            await self._exporting.revoke(stray.kind, stray.id)
            to = next((each.client for each in found if each.id == stray.id), "")
            text = f"the export {stray.id} ({stray.kind}) to {to or 'nobody'} was ended"
            await announce(self._store, self._bus, Event("root.export", self._clock(), text, "nobody wants it"))

    async def _grant(self, root: RootVolume, *, serve: bool) -> None:
        """For whoever is ``alone``."""
        sealed, pool = await self._store.read(lambda db: (root_volumes.secret(db, root), _pool(db, root)))
        if pool is None:
            return
        await self._exporting.grant(root, sealed, pool, serve=serve)
        await self._store.write(lambda db: granted(db, root, self._clock()))


def _doom_stray(db: sqlite3.Connection) -> None:
    for root in root_volumes.stray(db):
        root_volumes.doom(db, root)


def _idle(db: sqlite3.Connection) -> list[RootVolume]:
    """Those whose exports serve nobody."""
    found = []
    for root in root_volumes.every(db):
        deployment = deployments.find(db, root.deployment)
        machine = machines.find(db, deployment.machine) if deployment and deployment.machine else None
        live = attempts.live_of(db, machine.id) if machine else None
        if is_idle(root, machine.state if machine else None, live):
            found.append(root)
    return found


def _pool(db: sqlite3.Connection, root: RootVolume) -> KnownPool | None:
    found = pools.find(db, root.pool)
    return found if found is not None and found.retired is None else None
