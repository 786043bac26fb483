"""What console and API show: machines and deployments with what belongs to them, read in one snapshot."""

from dataclasses import dataclass

import aiosqlite

from appliance.catalogue import Image
from appliance.deployment import Deployment
from appliance.events import Event
from appliance.machine import Machine
from appliance.reconcile.advice import advice
from appliance.store import attempts, catalogue, deployments, events, machines
from appliance.store.store import Store
from appliance.workflow import Attempt, Status, deadline

OFFLINE_AFTER = 150.0
"""Seconds without a sign; an idle machine polls at least every 50."""


@dataclass(frozen=True, slots=True)
class MachineView:
    """A machine, its latest attempt (live or ended) and the deployment it is assigned to."""

    machine: Machine
    attempt: Attempt | None
    deployment: Deployment | None

    @property
    def live(self) -> Attempt | None:
        """The attempt, if it is still going on."""
        return self.attempt if self.attempt and self.attempt.status is Status.LIVE else None

    def offline(self, now: float) -> bool:
        """Whether the machine has been silent for longer than it should."""
        return self.machine.last_seen is None or now - self.machine.last_seen > OFFLINE_AFTER

    def advice(self, now: float, called: str = "") -> str:
        """What somebody has to do by hand for the live attempt to go on; empty where there is nothing.

        ``called`` is what the machine is called in it, where its name stands beside it already.
        """
        return advice(self.attempt, called or self.machine.name, self.offline(now)) if self.attempt else ""

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


async def _view(db: aiosqlite.Connection, machine: Machine) -> MachineView:
    attempt = await attempts.last_of(db, machine.id)
    return MachineView(machine, attempt, await deployments.of_machine(db, machine.id))


async def machine_views(store: Store) -> list[MachineView]:
    """All machines by name."""

    async def job(db: aiosqlite.Connection) -> list[MachineView]:
        return [await _view(db, machine) for machine in await machines.every(db)]

    return await store.read(job)


async def machine_view(store: Store, key: str) -> MachineView:
    """The machine with this id or name; raises NotFound."""

    async def job(db: aiosqlite.Connection) -> MachineView:
        return await _view(db, await machines.get(db, key))

    return await store.read(job)


async def _deployment_view(db: aiosqlite.Connection, deployment: Deployment) -> DeploymentView:
    machine = await machines.find(db, deployment.machine) if deployment.machine else None
    return DeploymentView(
        deployment,
        await catalogue.image(db, deployment.image),
        MachineView(machine, await attempts.last_of(db, machine.id), deployment) if machine else None,
    )


async def deployment_views(store: Store) -> list[DeploymentView]:
    """All deployments by name."""

    async def job(db: aiosqlite.Connection) -> list[DeploymentView]:
        return [await _deployment_view(db, deployment) for deployment in await deployments.every(db)]

    return await store.read(job)


async def deployment_view(store: Store, key: str) -> DeploymentView:
    """The deployment with this id or name; raises NotFound."""

    async def job(db: aiosqlite.Connection) -> DeploymentView:
        return await _deployment_view(db, await deployments.get(db, key))

    return await store.read(job)


async def timeline(store: Store, machine: str, *, before: int | None = None, limit: int = 200) -> list[Event]:
    """A machine's events, newest first; raises NotFound."""

    async def job(db: aiosqlite.Connection) -> list[Event]:
        found = await machines.get(db, machine)
        return await events.query(db, machine=found.id, before=before, limit=limit)

    return await store.read(job)
