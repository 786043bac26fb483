"""Cancelling a task: what has not begun is taken back, what goes on is given up."""

import sqlite3
from dataclasses import replace

from appliance.accounts import Asker
from appliance.deployment import Deployment, stopped_as_written
from appliance.events import Event
from appliance.machine import State, moved
from appliance.reconcile import audit
from appliance.reconcile.record import Tell
from appliance.reconcile.settle import change_machine, settle
from appliance.reconcile.tasks import changed
from appliance.store import attempts, deployments, machines, tasks
from appliance.task import CANCELLED, Status, Task, brought_back, check_cancel, ended, intact, with_canceller, withdrawn
from appliance.workflow import Attempt, failed


def cancel(db: sqlite3.Connection, tell: Tell, key: str, by: Asker, now: float) -> Task:
    """Cancel the task with this number.

    Raises NotFound, and Conflict ``cancel-refused`` where it cannot be cancelled, with the reason.
    """
    task = tasks.get(db, key)
    attempt = attempts.find(db, task.attempt) if task.attempt else None
    check_cancel(task, attempt)
    subject = ("task", task.id, task.title)
    audit.note(db, by, "task.cancel", subject, {"status": task.status}, {"status": Status.CANCELLED}, now=now)
    why = f"{by} cancelled it"
    if task.job:
        return changed(db, tell, task, with_canceller(task, by.name), now)
    if attempt is not None:
        _give_up(db, tell, task, attempt, why, now)
        return tasks.get(db, key)  # it ended with its attempt
    _withdraw(db, tell, task, why, now)
    return changed(db, tell, task, ended(task, Status.CANCELLED, now, CANCELLED, why), now)


def _give_up(db: sqlite3.Connection, tell: Tell, task: Task, attempt: Attempt, why: str, now: float) -> None:
    machine = machines.get(db, attempt.machine)
    after = settle(db, tell, machine, attempt, failed(attempt, CANCELLED, why, now), now)
    if (state := brought_back(task, attempt)) is not None:
        change_machine(db, tell, after, moved(after, state), now)
        _withdraw(db, tell, task, why, now)
    elif intact(task, attempt):
        change_machine(db, tell, after, moved(after, State.STOPPED), now)
        _keep(db, tell, task, why, now)


def _keep(db: sqlite3.Connection, tell: Tell, task: Task, why: str, now: float) -> None:
    """What was deployed is there: it can be started again, and nothing overwrites it by itself."""
    deployment = _deployment(db, task)
    if deployment is not None:
        deployments.put(db, stopped_as_written(deployment))
        text = f"{task.title}: taken back; its system is stopped, as it was deployed"
        tell(Event("deployment.changed", now, text, why, task.machine, deployment.id))


def _withdraw(db: sqlite3.Connection, tell: Tell, task: Task, why: str, now: float) -> None:
    """What was wanted before is wanted again; a machine that was chosen for it is free."""
    if task.deployment is None:
        _no_rescue(db, task)
    deployment = _deployment(db, task)
    if deployment is not None and task.before is not None:
        deployments.put(db, withdrawn(deployment, task.before))
        event = Event("deployment.changed", now, f"{task.title}: taken back", why, task.machine, deployment.id)
        tell(event)


def _deployment(db: sqlite3.Connection, task: Task) -> Deployment | None:
    """The one that the wish was about, or that was on its machine."""
    if task.deployment is not None:
        return deployments.find(db, task.deployment)
    return deployments.of_machine(db, task.machine) if task.machine is not None else None


def _no_rescue(db: sqlite3.Connection, task: Task) -> None:
    """A rescue, or its end, that has not begun is wanted no longer."""
    machine = machines.find(db, task.machine) if task.machine else None
    if machine is not None and machine.rescue is not None:
        # The end of one that has failed was wanted without any rescue: there are no keys to go back to.
        goes_on = task.kind == "machine.end-rescue" and machine.rescue.ssh_keys
        rescue = replace(machine.rescue, ended=False) if goes_on else None
        machines.put(db, replace(machine, rescue=rescue))
