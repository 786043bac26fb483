"""Stores that a user wants a machine rescued, or its rescue ended; the reconcile loop does the rest."""

from collections.abc import Sequence
from dataclasses import replace

import aiosqlite

from appliance.accounts import Asker
from appliance.deployment import Wanted
from appliance.events import Event
from appliance.machine import Machine, State
from appliance.reconcile.record import Tell
from appliance.rescue import Rescue
from appliance.store import deployments, machines
from appliance.workflow import DeploymentId


async def begin_rescue(
    db: aiosqlite.Connection, tell: Tell, machine: Machine, keys: Sequence[str], by: Asker, now: float
) -> Machine:
    """The machine, wanted in rescue. Its deployment is wanted stopped: it must not start by itself afterwards."""
    deployment = await deployments.of_machine(db, machine.id)
    if deployment is not None:
        await deployments.put(db, replace(deployment, wanted=Wanted.STOPPED, retry=False))
    after = replace(machine, rescue=Rescue(tuple(keys)))
    await machines.put(db, after)
    await tell(_event(after, f"{by} asked to rescue {machine.name}", now, deployment.id if deployment else None))
    return after


async def end_rescue(db: aiosqlite.Connection, tell: Tell, machine: Machine, by: Asker, now: float) -> Machine:
    """The machine, wanted out of its rescue; one whose rescue has not begun is just left as it is."""
    after = replace(machine, rescue=_ended(machine))
    await machines.put(db, after)
    deployment = await deployments.of_machine(db, machine.id)
    await tell(_event(after, f"{by} ended the rescue of {machine.name}", now, deployment.id if deployment else None))
    return after


def _ended(machine: Machine) -> Rescue | None:
    if machine.state not in (State.RESCUE, State.FAILED):
        return None
    return replace(machine.rescue or Rescue(), ended=True)


def _event(machine: Machine, text: str, now: float, deployment: DeploymentId | None) -> Event:
    return Event("machine.changed", now, text, machine=machine.id, deployment=deployment)
