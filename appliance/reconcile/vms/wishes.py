"""What users ask of VMs: checked, and stored as work before anything is done."""

import os
import sqlite3
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from appliance.accounts import Asker
from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.events import Bus, Event
from appliance.hypervisor.media import with_disc
from appliance.hypervisor.placement import Need, Room, place
from appliance.hypervisor.shutting_down import PATIENCE
from appliance.machine import MacAddress
from appliance.reconcile import audit
from appliance.reconcile.consequences import Consequences, check_agreement
from appliance.reconcile.record import Tell, record
from appliance.reconcile.vms.disk_volumes import DiskVolumes
from appliance.reconcile.vms.host_rooms import HostRooms
from appliance.reconcile.vms.looking import Looking
from appliance.reconcile.vms.revision import check_revision
from appliance.reconcile.vms.shown import HostView, VmDetail
from appliance.reconcile.vms.vm_consequences import of_delete, own_volumes
from appliance.reconcile.vms.wish import DiskWish, VmChange, VmWish, altered, disk_targets, new_vm, with_disk
from appliance.reconcile.vms.works import Works
from appliance.store import vm_work
from appliance.task import Task
from appliance.vm import Order, Vm, VmId, VmState, is_to_be_done, mac_of
from appliance.vm_host import Host, check_ours, check_possible, name_taken, unreachable
from appliance.vm_work import DiskVolume, KnownHost, VmDeed, VmWork
from appliance.volume import PoolId, VolumeId

Discs = Callable[[str], Awaitable[str]]
"""The path of an ISO, by its name or number; raises NotFound ``iso-unknown``."""
MOST_PATIENCE = 3600.0
"""Seconds."""
KEPT = 1 << 30
"""Bytes of memory that a host keeps for itself."""
_NO_POOL = PoolId(0)
"""None is chosen yet."""


@dataclass(frozen=True, slots=True)
class Chances:
    """What is drawn by lot."""

    vm: Callable[[], VmId] = lambda: VmId(str(uuid.uuid4()))
    volume: Callable[[], VolumeId] = lambda: VolumeId(os.urandom(8).hex())
    mac: Callable[[], MacAddress] = lambda: mac_of(os.urandom(3))
    seed: Callable[[], int] = lambda: int.from_bytes(os.urandom(4))
    """Of the placement."""


class VmWishes:
    """Every method takes ``by``, who asked."""

    def __init__(
        self,
        rooms: HostRooms,
        looking: Looking,
        volumes: DiskVolumes,
        works: Works,
        bus: Bus,
        discs: Discs,
        chances: Chances | None = None,
    ) -> None:
        self._rooms, self._looking, self._volumes, self._works, self._bus = rooms, looking, volumes, works, bus
        self._discs, self._chances = discs, chances or Chances()

    async def create(self, wish: VmWish, by: Asker) -> Task:
        """Made by a task: volumes first, then the definition."""
        key = self._chances.vm()
        wanted, volumes = await self._wanted(wish, key)
        host = await self._rooms.kept(await self._placed(wish, wanted))
        work = VmWork(VmDeed.CREATE, key, wanted.name, host.id, by, self._rooms.clock())
        return await self._works.open(replace(work, wanted=wanted, volumes=volumes, start=wish.start))

    async def _wanted(self, wish: VmWish, key: VmId) -> tuple[Vm, tuple[DiskVolume, ...]]:
        """Every value is checked before a pool is asked."""
        discs = [await self._disc(each) for each in wish.cdroms]
        targets = disk_targets(wish.disks)
        ids = [self._chances.volume() for _ in targets]
        plain = [DiskVolume(each, _NO_POOL, "", 0, target) for each, target in zip(ids, targets, strict=True)]
        new_vm(wish, key, plain, discs, self._chances.mac)
        volumes = []
        for disk, target, each in zip(wish.disks, targets, ids, strict=True):
            volumes.append(await self._volumes.chosen(disk, wish.name, target, each, key))
        return new_vm(wish, key, volumes, discs, self._chances.mac), tuple(volumes)

    async def _disc(self, key: str) -> str:
        return await self._discs(key) if key else ""

    async def _placed(self, wish: VmWish, vm: Vm) -> KnownHost:
        """The host that was named, or the one that is chosen; raises Conflict ``host-none-fits``, ``name-taken``."""
        if wish.host:
            host = await self._rooms.get(wish.host)
            view = await self._looking.host(host)
            check_possible(vm, _found(view))
            _check_here(host, vm)
            await self._check_name(view, vm)
            return host
        hosts = await self._looking.hosts()
        views = [each for each in hosts if _obstacle(each, vm) is None]
        if hosts and not views and (why := _obstacle(hosts[0], vm)):
            raise why
        rooms = [_room(each, _found(each)) for each in views]
        chosen = place(Need(vm.cpus, vm.memory), rooms, wish.policy, self._chances.seed())
        view = next(each for each in views if each.known.name == chosen)
        await self._check_name(view, vm)
        return view.known

    async def _check_name(self, view: HostView, vm: Vm) -> None:
        works = await self._rooms.store.read(lambda db: vm_work.every(db, view.known.id))
        names = {each.name for each in view.vms} | {each.name for each in works if each.deed is VmDeed.CREATE}
        if vm.name in names:
            raise name_taken(vm.name)

    async def change(self, key: str, change: VmChange, revision: str, by: Asker) -> None:
        """Its stored definition, and the discs in the drives of one that runs; what else such a one gets at a restart
        only, ``needs_restart`` says.

        ``revision``: that of the definition that was shown; empty: whatever it is now. Raises Conflict
        ``vm-changed``, ``vm-busy``, ``vm-state``, ``vm-foreign``, ``vm-tray-locked``; Invalid as ``checked``.
        """
        detail = await self._looking.get(key)
        was = _stored(detail)
        check_revision(was, revision)
        after = altered(was, change, await self._new_discs(was, change), self._chances.mac)
        if after == was:
            return
        await self._check_possible(detail, after, was)
        host = await self._rooms.kept(detail.view.host)
        async with self._rooms.alone(was.id):
            await self._rooms.store.read(lambda db: vm_work.check_free(db, was.id))
            with_discs = await self._change_discs(detail, after, force=change.force)
            if after != with_discs:
                await self._rooms.driver(host).define(after, with_discs)
            await self._note(host, was, after, by)
        for each in own_volumes(detail):
            if each.target in change.without:
                await self._volumes.given_back(each, was.id)

    async def _change_discs(self, detail: VmDetail, after: Vm, *, force: bool) -> Vm:
        """What is stored, once the drives that run have the discs that they are to have.

        First, since its system may keep a drive shut: then all else stays as it is, too.
        """
        stored, live, media = _stored(detail), detail.found.live, self._rooms.driver(detail.view.host).media
        running = {each.target for each in live.cdroms} if live else set()
        had = {each.target: each.path for each in stored.cdroms}
        for each in after.cdroms:
            if each.target in running and had.get(each.target) not in (None, each.path):
                await media.change(after.id, each.target, each.path, force=force)
                stored = with_disc(stored, each.target, each.path)
        return stored

    async def _new_discs(self, was: Vm, change: VmChange) -> list[str] | None:
        """A path that is in one of its drives already stays; every other word is the name of an ISO."""
        there = {each.path for each in was.cdroms}
        if change.cdroms is None:
            return None
        return [each if each in there else await self._disc(each) for each in change.cdroms]

    async def _check_possible(self, detail: VmDetail, after: Vm, was: Vm) -> None:
        """What it had already, its host can do."""
        view = await self._looking.host(detail.view.host)
        if _asks(after) != _asks(was):
            check_possible(after, _found(view))
        if after.name != was.name:
            await self._check_name(view, after)

    async def _note(self, host: KnownHost, was: Vm, after: Vm, by: Asker) -> None:
        now = self._rooms.clock()

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            audit.note(db, by, "vm.change", ("vm", was.id, after.name), was, after, now=now)
            detail = {**host.detail, "vm": was.id, "name": after.name}
            tell(Event("vm.changed", now, f"{by} changed the VM {was.name}", detail=detail))

        await record(self._rooms.store, self._bus, job)

    async def add_disk(self, key: str, wish: DiskWish, by: Asker) -> Task:
        """One more; a VM that runs sees it after its next start. Raises as ``create`` and ``change``."""
        detail = await self._looking.get(key)
        was = _stored(detail)
        (target,) = disk_targets([wish], (each.target for each in was.drives))
        _check_here(detail.view.host, was, needs_pools=True)
        volume = await self._volumes.chosen(wish, was.name, target, self._chances.volume(), was.id)
        host = await self._rooms.kept(detail.view.host)
        work = VmWork(VmDeed.ADD_DISK, was.id, was.name, host.id, by, self._rooms.clock(), was=was)
        return await self._works.open(replace(work, wanted=with_disk(was, volume, wish.bus), volumes=(volume,)))

    async def shut_down(self, key: str, by: Asker, patience: float = PATIENCE) -> Task:
        """Its system is asked; after ``patience`` seconds it is switched off. Raises Conflict ``vm-state``."""
        if not 0.0 <= patience <= MOST_PATIENCE:
            hint = f"from 0, which is at once, to {MOST_PATIENCE:.0f} seconds"
            raise Invalid("vm-patience", f"nobody waits {patience} seconds", hint, "patience")
        view = await self._looking.find(key)
        check_ours(view.seen)
        if view.seen.state not in (VmState.PAUSED, VmState.ASLEEP, VmState.CRASHED):
            is_to_be_done(Order.ASK_ACPI, view.seen.state, view.seen.name)
        host = await self._rooms.kept(view.host)
        seen = view.seen
        work = VmWork(VmDeed.SHUT_DOWN, seen.id, seen.name, host.id, by, self._rooms.clock(), patience=patience)
        return await self._works.open(work)

    async def delete(self, key: str, confirm: str | None, by: Asker, *, with_disks: bool) -> Task:
        """Confirmed by its name. Raises Conflict ``vm-refused``, ``confirmation-needed``."""
        detail = await self._looking.get(key)
        volumes = own_volumes(detail)
        foreseen = of_delete(detail, await self._volumes.sized(volumes), with_disks=with_disks)
        if foreseen.refused:
            raise Conflict("vm-refused", foreseen.refused, "look at it again later")
        check_agreement(foreseen, confirm, "")
        host, seen = await self._rooms.kept(detail.view.host), detail.view.seen
        kept = tuple(replace(each, made=with_disks) for each in volumes)
        work = VmWork(VmDeed.DELETE, seen.id, seen.name, host.id, by, self._rooms.clock(), volumes=kept)
        return await self._works.open(replace(work, was=detail.found.stored))

    async def delete_consequences(self, key: str, *, with_disks: bool) -> Consequences:
        """What it would mean to delete it."""
        detail = await self._looking.get(key)
        return of_delete(detail, await self._volumes.sized(own_volumes(detail)), with_disks=with_disks)


def _stored(detail: VmDetail) -> Vm:
    check_ours(detail.view.seen)
    if detail.found.stored is None:
        text = f"{detail.view.seen.name} has no stored definition: somebody deleted it while it runs"
        raise Conflict("vm-state", text, "switch it off, then make it anew")
    return detail.found.stored


def _found(view: HostView) -> Host:
    if view.host is None:
        raise unreachable(view.known.name, view.trouble)
    return view.host


def _check_here(host: KnownHost, vm: Vm, *, needs_pools: bool = False) -> None:
    """Raises Conflict ``host-no-pools``: volumes are reached on the appliance's own computer."""
    if (vm.disks or needs_pools) and not host.here:
        text = f"the volumes of pools are on the appliance, and {host.name} is another computer"
        raise Conflict("host-no-pools", text, "put it on the appliance, or let it boot from the network", "host")


def _obstacle(view: HostView, vm: Vm) -> ApplianceError | None:
    """Why a host is out of the question, however much room it has."""
    try:
        check_possible(vm, _found(view))
        _check_here(view.known, vm)
    except ApplianceError as error:
        return error
    return None


def _room(view: HostView, host: Host) -> Room:
    """What those that run were promised is not promised again."""
    runs = [each for each in view.vms if each.state is not VmState.OFF]
    left = host.memory - KEPT - sum(each.memory for each in runs)
    return Room(view.known.name, host.cpus, float(sum(each.cpus for each in runs)), left)


def _asks(vm: Vm) -> dict[str, object]:
    return {"cpus": vm.cpus, "memory": vm.memory, "firmware": vm.firmware, "tpm": vm.tpm, "nics": vm.nics}
