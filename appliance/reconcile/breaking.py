"""What becomes of a machine's deployment, and of what waits for it, when it is called broken or mended.

Whatever was wanted of it would begin by itself once the machine is mended, months later and in another room, perhaps:
so nothing stays wanted that a user does not ask for again.
"""

import sqlite3
from dataclasses import replace

from appliance.accounts import Asker
from appliance.deployment import Deployment, Wanted, detached, stopped_as_written
from appliance.events import Event
from appliance.machine import Machine
from appliance.reconcile.record import Tell
from appliance.reconcile.tasks import changed
from appliance.store import deployments, roots, tasks
from appliance.task import Status, ended


def laid_down(deployment: Deployment) -> Deployment:
    """One whose system is on the disk is wanted stopped; any other is on no machine any more. Pure."""
    if deployment.installed is not None:
        return stopped_as_written(deployment)
    return replace(detached(deployment), wanted=Wanted.RELEASED)


def lay_down(db: sqlite3.Connection, tell: Tell, machine: Machine, by: Asker, now: float) -> None:
    """Store that nothing of a machine's deployment is wanted any more, and end what waits for the machine."""
    _end_waiting(db, tell, machine, now)
    deployment = deployments.of_machine(db, machine.id)
    after = laid_down(deployment) if deployment else None
    if deployment is None or after is None or after == deployment:
        return
    deployments.put(db, after)
    if after.machine is None:
        roots.end_system(db, after.id, machine.id)
    said = f"{deployment.name} was taken off {machine.name}" if after.machine is None else f"{after.name} stays stopped"
    why = f"{by} called {machine.name} broken or mended"
    tell(Event("deployment.changed", now, said, why, machine.id, after.id))


def _end_waiting(db: sqlite3.Connection, tell: Tell, machine: Machine, now: float) -> None:
    for task in tasks.open_of_machine(db, machine.id):
        if task.attempt is None and not task.job:
            why = f"{machine.name} was called broken"
            changed(db, tell, task, ended(task, Status.FAILED, now, "machine-broken", why), now)
