"""Stores that a user wants a machine rescued, or its rescue ended; the reconcile loop does the rest."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from appliance.deployment import Deployment, Wanted
from appliance.events import Event
from appliance.machine import Machine, State
from appliance.reconcile import audit
from appliance.reconcile.record import Tell
from appliance.reconcile.tasks import Asked, changed, open_machine_action, overtake
from appliance.rescue import Rescue
from appliance.store import deployments, machines
from appliance.task import Status, Task, ended


def begin_rescue(db: sqlite3.Connection, tell: Tell, machine: Machine, keys: Sequence[str], asked: Asked) -> Task:
    """The task of a machine that is wanted in rescue from here on.

    Its deployment is wanted stopped: it must not start by itself afterwards.
    """
    deployment = deployments.of_machine(db, machine.id)
    if deployment is not None:
        overtake(db, tell, deployment.id, f"{asked.by} asked for something else: {asked.title}", asked.at)
        deployments.put(db, replace(deployment, wanted=Wanted.STOPPED, retry=False))
    after = replace(machine, rescue=Rescue(tuple(keys)))
    return _wanted(db, tell, machine, after, deployment, asked)


def end_rescue(db: sqlite3.Connection, tell: Tell, machine: Machine, asked: Asked) -> Task:
    """The task of a machine that is wanted out of its rescue; one whose rescue has not begun is left as it is."""
    deployment = deployments.of_machine(db, machine.id)
    after = replace(machine, rescue=_ended(machine))
    task = _wanted(db, tell, machine, after, deployment, asked)
    if after.rescue is not None:
        return task
    return changed(db, tell, task, ended(task, Status.DONE, asked.at), asked.at)


def _ended(machine: Machine) -> Rescue | None:
    if machine.state not in (State.RESCUE, State.FAILED):
        return None
    return replace(machine.rescue or Rescue(), ended=True)


def _wanted(
    db: sqlite3.Connection, tell: Tell, before: Machine, after: Machine, deployment: Deployment | None, asked: Asked
) -> Task:
    machines.put(db, after)
    text = f"{asked.by} asked: {asked.title[0].lower()}{asked.title[1:]}"
    of = deployment.id if deployment else None
    tell(Event("machine.changed", asked.at, text, machine=after.id, deployment=of))
    audit.note(db, asked.by, asked.kind, ("machine", after.id, after.name), before, after, now=asked.at)
    return open_machine_action(db, tell, asked, before, deployment)
