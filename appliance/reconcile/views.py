"""What console and API show: machines and deployments with what belongs to them, read in one snapshot."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from appliance.catalogue import Image, Kernel, KernelId
from appliance.delivery import on_volume
from appliance.deployment import Deployment
from appliance.events import Event
from appliance.machine import Machine
from appliance.power_known import Switch
from appliance.power_order import PowerOrder
from appliance.reconcile.advice import advice
from appliance.reconcile.power_needs import remedy_for
from appliance.reconcile.remedy import Remedy
from appliance.root_volume import RootVolume
from appliance.store import (
    attempts,
    catalogue,
    deployment_list,
    deployments,
    events,
    machine_list,
    machines,
    pools,
    power,
    root_volumes,
    roots,
)
from appliance.store.documents import load
from appliance.store.listing import Asked, Found, page
from appliance.store.machine_list import OFFLINE_AFTER as OFFLINE_AFTER
from appliance.store.store import Store
from appliance.volume import PoolId
from appliance.workflow import Attempt, Status, deadline


@dataclass(frozen=True, slots=True)
class MachineView:
    """A machine, its latest attempt (live or ended) and the deployment it is assigned to."""

    machine: Machine
    attempt: Attempt | None
    deployment: Deployment | None
    switch: Switch | None = None
    """Its power switch, where it has one."""
    orders: tuple[PowerOrder, ...] = ()
    """What the attempt had of its switch."""
    waits: float | None = None
    """When the boot began that was last told to wait until it is let in to its root; None: none was."""

    @property
    def live(self) -> Attempt | None:
        """The attempt, if it is still going on."""
        return self.attempt if self.attempt and self.attempt.status is Status.LIVE else None

    def offline(self, now: float) -> bool:
        """Whether the machine has been silent for longer than it should."""
        return self.machine.last_seen is None or now - self.machine.last_seen > OFFLINE_AFTER

    def asks(self, now: float) -> float | None:
        """When the boot began that waits to be let in to its root; None: none does, or not any more.

        One that waits asks twice a minute: where nothing is heard of it, it was switched off.
        """
        return None if self.offline(now) else self.waits

    def advice(self, now: float, called: str = "") -> str:
        """What somebody has to do by hand for the live attempt to go on; empty where there is nothing.

        ``called`` is what the machine is called in it, where its name stands beside it already.
        """
        if self.attempt is None or self.remedy(now) is not None:
            return ""
        return advice(self.attempt, called or self.machine.name, self.offline(now))

    def remedy(self, now: float) -> Remedy | None:
        """What its power switch does for the live attempt, and when; None: nothing."""
        return remedy_for(self.attempt, self.machine, self.switch, self.orders, now) if self.live else None

    @property
    def deadline(self) -> float | None:
        """Unix time at which the live attempt gives up without a sign of the machine; None without one."""
        return deadline(self.attempt) if self.attempt else None


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A deployment, its image, and the machine it is assigned to."""

    deployment: Deployment
    image: Image
    on: MachineView | None
    root: RootVolume | None = None
    """The volume that it has its system on, or is getting it on."""
    pools: Mapping[PoolId, str] = field(default_factory=dict)
    """Names of the pools that it speaks of."""
    kernel: Kernel | None = None
    """What its root on the network is started with; None: the appliance's own."""

    def pool_name(self, of: PoolId) -> str:
        """What a pool is called; its number where it is known no longer."""
        return self.pools.get(of, str(of))


def _view(db: sqlite3.Connection, machine: Machine) -> MachineView:
    attempt = attempts.last_of(db, machine.id)
    view = MachineView(machine, attempt, deployments.of_machine(db, machine.id), waits=_waits(db, machine))
    return with_power(db, view)


def asks(db: sqlite3.Connection, machine: Machine, now: float) -> float | None:
    """When the boot began that waits to be let in to its root, as ``MachineView.asks``."""
    return MachineView(machine, None, None, waits=_waits(db, machine)).asks(now)


def _waits(db: sqlite3.Connection, machine: Machine) -> float | None:
    return roots.machines_waiting(db, [machine.id]).get(machine.id)


def with_power(db: sqlite3.Connection, view: MachineView) -> MachineView:
    """The view with the machine's power switch."""
    switch = power.find(db, view.machine.id)
    return replace(view, switch=switch, orders=_orders(db, view.live)) if switch else view


def _orders(db: sqlite3.Connection, attempt: Attempt | None) -> tuple[PowerOrder, ...]:
    return tuple(power.orders_of_attempt(db, attempt.id)) if attempt else ()


async def machines_page(store: Store, asked: Asked) -> tuple[Found, list[MachineView]]:
    """A page of machines; in place of their inventories they have the digests."""

    def job(db: sqlite3.Connection) -> tuple[Found, list[MachineView]]:
        found, shown = machine_list.found(db, asked)
        return found, views_of(db, shown)

    return await store.read(job)


def views_of(db: sqlite3.Connection, shown: Sequence[Machine]) -> list[MachineView]:
    """Machines with what belongs to them, in one query for all attempts and one for all deployments."""
    ids = [machine.id for machine in shown]
    latest = {attempt.machine: attempt for attempt in attempts.last_of_each(db, ids)}
    on = {deployment.machine: deployment for deployment in deployments.on_machines(db, ids)}
    switches = power.of_machines(db, ids)
    waiting = roots.machines_waiting(db, ids)
    views = [
        MachineView(each, latest.get(each.id), on.get(each.id), switches.get(each.id), waits=waiting.get(each.id))
        for each in shown
    ]
    live = [view.live.id for view in views if view.live and view.switch]
    done = power.orders_of_attempts(db, live) if live else {}
    return [replace(view, orders=tuple(done.get(view.live.id, ()))) if view.live else view for view in views]


async def machine_view(store: Store, key: str) -> MachineView:
    """The machine with this id or name; raises NotFound."""

    def job(db: sqlite3.Connection) -> MachineView:
        return _view(db, machines.get(db, key))

    return await store.read(job)


def _deployment_view(db: sqlite3.Connection, deployment: Deployment) -> DeploymentView:
    machine = machines.find(db, deployment.machine) if deployment.machine else None
    view = DeploymentView(deployment, catalogue.image(db, deployment.image), _view(db, machine) if machine else None)
    return _with_roots(db, [view])[0]


def _with_roots(db: sqlite3.Connection, views: list[DeploymentView]) -> list[DeploymentView]:
    """With their kernels, root volumes and the names of pools: in three queries, and none that nothing needs."""
    if any(view.deployment.kernel for view in views):
        kernels = {each.id: each for each in catalogue.kernels(db)}
        views = [replace(each, kernel=kernels.get(each.deployment.kernel or KernelId(0))) for each in views]
    ids = [view.deployment.id for view in views if on_volume(view.deployment.delivery)]
    if not ids:
        return views
    found, names = root_volumes.of_deployments(db, ids), {each.id: each.name for each in pools.every(db)}
    return [replace(view, root=found.get(view.deployment.id), pools=names) for view in views]


async def deployments_page(store: Store, asked: Asked) -> tuple[Found, list[DeploymentView]]:
    """A page of deployments; in place of their machines' inventories they have the digests."""

    def job(db: sqlite3.Connection) -> tuple[Found, list[DeploymentView]]:
        found = page(db, deployment_list.LISTING, asked)
        rows = [(load(row[0], Deployment), load(row[1], Image), _on(row)) for row in found.rows]
        ids = [machine.id for _, _, machine in rows if machine]
        of = {attempt.machine: attempt for attempt in attempts.last_of_each(db, ids)}
        waiting = roots.machines_waiting(db, ids)
        views = [MachineView(on, of.get(on.id), made, waits=waiting.get(on.id)) if on else None for made, _, on in rows]
        switched = [with_power(db, view) if view and view.live else view for view in views]
        shown = [DeploymentView(made, image, view) for (made, image, _), view in zip(rows, switched, strict=True)]
        return found, _with_roots(db, shown)

    return await store.read(job)


def _on(row: tuple[Any, ...]) -> Machine | None:
    return machine_list.listed(row[2:]) if row[2] else None


async def deployment_view(store: Store, key: str) -> DeploymentView:
    """The deployment with this id or name; raises NotFound."""

    def job(db: sqlite3.Connection) -> DeploymentView:
        return _deployment_view(db, deployments.get(db, key))

    return await store.read(job)


async def timeline(store: Store, machine: str, *, before: int | None = None, limit: int = 200) -> list[Event]:
    """A machine's events, newest first; raises NotFound."""

    def job(db: sqlite3.Connection) -> list[Event]:
        found = machines.get(db, machine)
        return events.query(db, machine=found.id, before=before, limit=limit)

    return await store.read(job)
