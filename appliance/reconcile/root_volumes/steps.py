"""The steps of an attempt that the appliance does itself. Each is done once more after a restart, to the same end."""

import os
import secrets
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from appliance.catalogue import Image
from appliance.delivery import check_root_size, root_size
from appliance.errors import ApplianceError, Conflict
from appliance.events import Bus, Event
from appliance.export import NOISE, Export, ExportId, ExportKind, chap_secret, check_export, initiator_name, target_name
from appliance.machine import Machine
from appliance.pool import KnownPool, KnownVolume, Use
from appliance.reconcile.outcome import deployment_given
from appliance.reconcile.pool_rooms import Rooms
from appliance.reconcile.record import Tell, record
from appliance.reconcile.root_volumes.exporting import Exporting, Site
from appliance.reconcile.root_volumes.sealed import sealed
from appliance.reconcile.root_volumes.whereabouts import address_of
from appliance.reconcile.settle import settle
from appliance.root_volume import Grant, RootVolume, choose_pool
from appliance.storage.driver import Hears
from appliance.store import attempts, catalogue, deployments, machines, pools, root_volumes
from appliance.store.sealing import Sealer
from appliance.store.store import Store
from appliance.volume import NewVolume, VolumeId, rounded, usable
from appliance.workflow import DISCARD, GRANT, PROVIDE, REVOKE, Attempt, DeploymentId, Status, step_done


class Golden(Protocol):
    """A volume with the files of an image, which root volumes are clones of."""

    @property
    def volume(self) -> VolumeId:
        """Nobody writes it."""
        ...

    @property
    def fs_uuid(self) -> str:
        """Of its file system."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...


Goldens = Callable[[Image, KnownPool, Hears], Awaitable[Golden]]
"""The golden volume of an image in a pool, made where there is none yet."""


def _always(_: sqlite3.Connection) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a root volume is made of."""

    root: RootVolume
    image: Image
    pool: KnownPool
    delivery: str
    wanted: int | None
    """Bytes that were asked for."""


class Steps:
    """``do`` does one step; whoever calls sees that an attempt has one caller at a time."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Callable[[], float],
        rooms: Rooms,
        exporting: Exporting,
        sealer: Sealer,
        site: Site,
        goldens: Goldens,
    ) -> None:
        self._store, self._bus, self._clock = store, bus, clock
        self._rooms, self._exporting, self._sealer = rooms, exporting, sealer
        self._site, self._goldens = site, goldens
        self._does: dict[str, Callable[[Attempt, Hears], Awaitable[dict[str, Any]]]] = {
            PROVIDE: self._provide,
            GRANT: self._grant,
            REVOKE: self._revoke,
            DISCARD: self._discard,
        }

    async def do(self, attempt: Attempt, hears: Hears) -> None:
        """The present step of the attempt, to its end; ``hears`` is told how far it is.

        Raises ApplianceError with the reason where it cannot be done, and Conflict ``stale-step`` where the attempt
        has ended meanwhile.
        """
        assert attempt.step is not None, "it has a step of the appliance"
        name = attempt.step.name
        result = await self._does[name](attempt, hears)

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            before, now = present(db, attempt), self._clock()
            settle(db, tell, machines.get(db, before.machine), before, step_done(before, name, result, now), now)

        await record(self._store, self._bus, job)

    # -- a root volume

    async def _provide(self, attempt: Attempt, hears: Hears) -> dict[str, Any]:
        begun = await self._store.write(lambda db: self._begun(db, attempt))
        root, pool = begun.root, begun.pool
        if not root.ready:
            golden = await self._goldens(begun.image, pool, hears)
            hears(None, f"cloning it in {pool.name}")
            async with self._rooms.held(pool, hears) as on:
                source = usable(await on.look(), golden.volume)
                size = rounded(max(root.size, golden.size, source.size))
                check_root_size(begun.image, begun.delivery, begun.wanted, size)
                root = replace(root, size=size, fs_uuid=golden.fs_uuid)
                await on.copy(golden.volume, NewVolume(root.volume, root.name, root.size))
            await record(self._store, self._bus, lambda db, tell: self._made(db, tell, attempt, root))
        return {"volume": root.volume, "pool": pool.name, "bytes": root.size}

    def _begun(self, db: sqlite3.Connection, attempt: Attempt) -> Beginning:
        """The volume of this attempt, stored before it is made; that of an earlier deploy ends here."""
        deployment = deployments.get(db, of(_obeyed(db, attempt)))
        image = catalogue.image(db, deployment.image)
        there = root_volumes.of_deployment(db, deployment.id)
        if there is not None and there.attempt == attempt.id:
            return Beginning(there, image, _pool(db, there), deployment.delivery, deployment.root_size)
        pool = choose_pool(pools.every(db), deployment.pool)
        if there is not None:
            root_volumes.doom(db, there)
        deployments.put(db, deployment_given(deployment, PROVIDE))
        volume = VolumeId(secrets.token_hex(8))
        name = f"root-{deployment.name[:40]}-{volume[:6]}"
        size = rounded(root_size(image, deployment.root_size))
        root = RootVolume(volume, deployment.id, pool.id, name, size, attempt.id, self._clock())
        root_volumes.put(db, root)
        return Beginning(root, image, pool, deployment.delivery, deployment.root_size)

    def _made(self, db: sqlite3.Connection, tell: Tell, attempt: Attempt, root: RootVolume) -> None:
        present(db, attempt)
        planned = root_volumes.find(db, root.volume)
        root_volumes.put(db, root)
        if planned is not None and planned.size < root.size:
            text = f"the root volume {root.described}, is larger than the {planned.size / 1e9:.1f} GB that were planned"
            why = "the golden volume that it is cloned from is as large"
            tell(Event("deployment.changed", self._clock(), text, why, attempt.machine, root.deployment))
        known = KnownVolume(
            root.volume, root.pool, root.name, Use.DEPLOYMENT, str(root.deployment), created=root.created
        )
        pools.put_volume(db, known)

    async def _discard(self, attempt: Attempt, hears: Hears) -> dict[str, Any]:
        def job(db: sqlite3.Connection) -> list[RootVolume]:
            deployment = deployments.get(db, of(_obeyed(db, attempt)))
            deployments.put(db, deployment_given(deployment, DISCARD))
            found = root_volumes.all_of(db, deployment.id)
            for each in found:
                root_volumes.doom(db, each)
            return found

        gone = await self._store.write(job)
        for root in gone:
            hears(None, root.described)
            await self.discard(root)
        return {"volumes": [each.volume for each in gone]}

    async def discard(self, root: RootVolume) -> None:
        """A doomed root volume: its export ends, then it is deleted, then it is forgotten."""
        await self.cut(root)
        pool = await self._store.read(lambda db: pools.find(db, root.pool))
        if pool is not None and pool.retired is None:
            async with self._rooms.held(pool) as on:
                await on.delete(root.volume)

        def job(db: sqlite3.Connection) -> None:
            pools.drop_volume(db, root.volume)
            root_volumes.drop(db, root.volume)

        await self._store.write(job)

    async def tidy(self, root: RootVolume) -> None:
        """The same where nobody waits for it, unless its pool is at something that may take hours; then later."""
        pool = await self._store.read(lambda db: pools.find(db, root.pool))
        if pool is None or not self._rooms.is_busy(pool):
            await self.discard(root)

    # -- its export

    async def _grant(self, attempt: Attempt, hears: Hears) -> dict[str, Any]:
        async with self._exporting.alone:
            root = await self._store.write(lambda db: self._root_of(db, attempt))
            for each in await self._store.read(lambda db: root_volumes.all_of(db, root.deployment)):
                if each.grant is not None and each.grant.attempt != attempt.id:
                    await self._end(each)  # whoever has run it before writes nowhere from here on
            root, kept, pool = await self._store.write(lambda db: self._wanted(db, attempt))
            await self._exporting.grant(root, kept, pool)
            await self._store.write(lambda db: granted(db, root, self._clock()))
        assert root.grant is not None, "it was granted just now"
        return {"export": root.grant.export.id, "server": root.grant.server, "address": root.grant.export.address}

    def _root_of(self, db: sqlite3.Connection, attempt: Attempt) -> RootVolume:
        found = root_volumes.of_deployment(db, of(_obeyed(db, attempt)))
        if found is None or not found.ready:
            text = "its root volume is not on the appliance, or was never finished"
            raise Conflict("root-volume-missing", text, "re-deploy it")
        return found

    def _wanted(self, db: sqlite3.Connection, attempt: Attempt) -> tuple[RootVolume, bytes, KnownPool]:
        """Its export as it is to be, stored before anything of it is done."""
        present(db, attempt)
        root = self._root_of(db, attempt)
        pool = _pool(db, root)
        if root.grant is not None:
            return root, root_volumes.secret(db, root), pool
        machine, deployment = machines.get(db, attempt.machine), deployments.get(db, root.deployment)
        address, kind = address_of(db, machine, self._clock()), ExportKind(deployment.delivery)
        root = replace(root, grant=self._new_grant(kind, root, machine, address, attempt))
        root_volumes.put(db, root)
        assert root.grant is not None, "it has a new one"
        kept = b""
        if root.grant.target:
            kept = sealed(self._sealer, root.grant, chap_secret(os.urandom(NOISE)))
        root_volumes.put_secret(db, root, kept)
        return root, kept, pool

    def _new_grant(
        self, kind: ExportKind, root: RootVolume, machine: Machine, address: str | None, attempt: Attempt
    ) -> Grant:
        server = self._site.server_for(address)
        if server is None or address is None:
            text = f"{machine.name} has the address {address or '(none)'}, which is in no subnet that is served"
            raise ApplianceError("machine-not-reached", text, "serve its subnet, let it boot again, then retry")
        key, iscsi = ExportId(secrets.token_hex(8)), kind is ExportKind.ISCSI
        initiator = initiator_name(self._site.domain, machine.id) if iscsi else ""
        export = check_export(Export(key, kind, root.volume, address, initiator))
        return Grant(export, server, machine.id, attempt.id, target_name(self._site.domain, key) if iscsi else "")

    async def _revoke(self, attempt: Attempt, hears: Hears) -> dict[str, Any]:
        found = await self._store.write(lambda db: root_volumes.all_of(db, of(_obeyed(db, attempt))))
        left = [words for each in found if (words := await self.cut(each))]
        return {"left": "; ".join(left)} if left else {}

    async def cut(self, root: RootVolume, where: Callable[[sqlite3.Connection], bool] = _always) -> str:
        """End its export, if it has one; what the kernel still has of it, in words.

        ``where`` is asked once nobody else changes exports: whether it is to be cut still.
        """
        async with self._exporting.alone:
            there = await self._store.read(lambda db: root_volumes.find(db, root.volume) if where(db) else None)
            return await self._end(there) if there is not None else ""

    async def _end(self, root: RootVolume) -> str:
        """For whoever is ``alone``: it is forgotten once nobody reaches it."""
        if root.grant is None:
            return ""
        left = await self._exporting.revoke(root.grant.export.kind, root.grant.export.id)

        def job(db: sqlite3.Connection) -> None:
            there = root_volumes.find(db, root.volume)
            if there is not None:  # as it is by now: it may be doomed since
                root_volumes.put(db, replace(there, grant=None))

        await self._store.write(job)
        return left


def granted(db: sqlite3.Connection, root: RootVolume, now: float) -> None:
    """The kernel has all of its export."""
    there = root_volumes.find(db, root.volume)
    if there is not None and there.grant is not None and there.grant.since is None:
        root_volumes.put(db, replace(there, grant=replace(there.grant, since=now)))


def of(attempt: Attempt) -> DeploymentId:
    """The deployment of an attempt that has a root volume."""
    assert attempt.deployment is not None, "a machine without one has no root volume"
    return attempt.deployment


def present(db: sqlite3.Connection, attempt: Attempt) -> Attempt:
    """The attempt as it is stored; raises Conflict ``stale-step`` where this step of it is not due any more."""
    found = attempts.find(db, attempt.id)
    if found is None or found.status is not Status.LIVE or found.index != attempt.index:
        raise Conflict("stale-step", f"attempt {attempt.id} has ended, or is further by now")
    return found


def _obeyed(db: sqlite3.Connection, attempt: Attempt) -> Attempt:
    """The same, in a step of which something is done from here on: to take it back is more than to forget it."""
    found = replace(present(db, attempt), obeyed=True)
    attempts.put(db, found)
    return found


def _pool(db: sqlite3.Connection, root: RootVolume) -> KnownPool:
    found = pools.find(db, root.pool)
    if found is None or found.retired is not None:
        text = f"the pool that {root.name} is in is not there any more"
        raise Conflict("root-volume-missing", text, "release the deployment, then start it in another pool")
    return found
