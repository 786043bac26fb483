"""Cancelling a task: what has not begun is taken back, what goes on is given up."""

from dataclasses import replace

import aiosqlite

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


async def cancel(db: aiosqlite.Connection, tell: Tell, key: str, by: Asker, now: float) -> Task:
    """Cancel the task with this number.

    Raises NotFound, and Conflict ``cancel-refused`` where it cannot be cancelled, with the reason.
    """
    task = await tasks.get(db, key)
    attempt = await attempts.find(db, task.attempt) if task.attempt else None
    check_cancel(task, attempt)
    subject = ("task", task.id, task.title)
    await audit.note(db, by, "task.cancel", subject, {"status": task.status}, {"status": Status.CANCELLED}, now=now)
    why = f"{by} cancelled it"
    if task.job:
        return await changed(db, tell, task, with_canceller(task, by.name), now)
    if attempt is not None:
        await _give_up(db, tell, task, attempt, why, now)
        return await tasks.get(db, key)  # it ended with its attempt
    await _withdraw(db, tell, task, why, now)
    return await changed(db, tell, task, ended(task, Status.CANCELLED, now, CANCELLED, why), now)


async def _give_up(db: aiosqlite.Connection, tell: Tell, task: Task, attempt: Attempt, why: str, now: float) -> None:
    machine = await machines.get(db, attempt.machine)
    after = await settle(db, tell, machine, attempt, failed(attempt, CANCELLED, why, now), now)
    if (state := brought_back(task, attempt)) is not None:
        await change_machine(db, tell, after, moved(after, state), now)
        await _withdraw(db, tell, task, why, now)
    elif intact(task, attempt):
        await change_machine(db, tell, after, moved(after, State.STOPPED), now)
        await _keep(db, tell, task, why, now)


async def _keep(db: aiosqlite.Connection, tell: Tell, task: Task, why: str, now: float) -> None:
    """What is on the disk is what its deployment is: it can be started again, and nothing overwrites it by itself."""
    deployment = await _deployment(db, task)
    if deployment is not None:
        await deployments.put(db, stopped_as_written(deployment))
        text = f"{task.title}: taken back; its system is stopped, as it is on its disk"
        await tell(Event("deployment.changed", now, text, why, task.machine, deployment.id))


async def _withdraw(db: aiosqlite.Connection, tell: Tell, task: Task, why: str, now: float) -> None:
    """What was wanted before is wanted again; a machine that was chosen for it is free."""
    if task.deployment is None:
        await _no_rescue(db, task)
    deployment = await _deployment(db, task)
    if deployment is not None and task.before is not None:
        await deployments.put(db, withdrawn(deployment, task.before))
        event = Event("deployment.changed", now, f"{task.title}: taken back", why, task.machine, deployment.id)
        await tell(event)


async def _deployment(db: aiosqlite.Connection, task: Task) -> Deployment | None:
    """The one that the wish was about, or that was on its machine."""
    if task.deployment is not None:
        return await deployments.find(db, task.deployment)
    return await deployments.of_machine(db, task.machine) if task.machine is not None else None


async def _no_rescue(db: aiosqlite.Connection, task: Task) -> None:
    """A rescue, or its end, that has not begun is wanted no longer."""
    machine = await machines.find(db, task.machine) if task.machine else None
    if machine is not None and machine.rescue is not None:
        # The end of one that has failed was wanted without any rescue: there are no keys to go back to.
        goes_on = task.kind == "machine.end-rescue" and machine.rescue.ssh_keys
        rescue = replace(machine.rescue, ended=False) if goes_on else None
        await machines.put(db, replace(machine, rescue=rescue))
