"""Tasks kept true: opened with the wish, tied to the attempt that it leads to, ended with that."""

import sqlite3
from dataclasses import dataclass

from appliance.accounts import Asker
from appliance.deployment import Deployment
from appliance.events import Event
from appliance.machine import Machine, MachineId
from appliance.reconcile.record import Tell
from appliance.store import attempts, deployments, machines, tasks
from appliance.task import OVERTAKEN, Before, Facts, Status, Task, TaskId, awaits, ended, followed, judged
from appliance.workflow import Attempt, DeploymentId
from appliance.workflow import Status as AttemptStatus


def task_event(task: Task, now: float) -> Event:
    """What is told when a task is opened, and when it has ended."""
    detail = {"task": task.id, "kind": task.kind, "status": task.status, "owner": task.owner}
    return Event("task.changed", now, f"{task.title}: {task.status}", task.reason, detail=detail)


def opened(db: sqlite3.Connection, tell: Tell, task: Task) -> Task:
    """Store a new task, with its number, and tell of it."""
    stored = tasks.add(db, task)
    tell(task_event(stored, stored.created))
    return stored


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user asked for: the kind of its task, its title for people, who, and when."""

    kind: str
    title: str
    by: Asker
    at: float


def open_action(db: sqlite3.Connection, tell: Tell, asked: Asked, before: Deployment, after: Deployment) -> Task:
    """The task of a wish that made ``after`` of ``before``; done at once where nothing is left to do.

    What an earlier wish has not begun yet is cancelled.
    """
    machine = machines.find(db, after.machine) if after.machine else None
    overtake(db, tell, after.id, f"{asked.by} asked for something else: {asked.title}", asked.at)
    task = opened(db, tell, _new(asked, after.machine or before.machine, after.id, _before(machine, before)))
    return changed(db, tell, task, judged(task, Facts(None, after, machine), asked.at), asked.at)


def open_machine_action(
    db: sqlite3.Connection, tell: Tell, asked: Asked, before: Machine, deployment: Deployment | None
) -> Task:
    """The task of a wish about a machine that an attempt will fulfil.

    The machine and the deployment on it are given as they were ``before`` the wish.
    """
    for task in tasks.open_of_machine(db, before.id):
        if task.attempt is None and task.deployment is None:
            why = f"{asked.by} asked for something else: {asked.title}"
            changed(db, tell, task, ended(task, Status.CANCELLED, asked.at, OVERTAKEN, why), asked.at)
    return opened(db, tell, _new(asked, before.id, None, _before(before, deployment)))


def _before(machine: Machine | None, deployment: Deployment | None) -> Before:
    state = machine.state if machine else None
    if deployment is None:
        return Before(state)
    assigned = deployment.machine is not None
    installed = deployment.installed is not None
    return Before(state, deployment.wanted, deployment.generation, deployment.retry, assigned, installed)


def _new(asked: Asked, machine: MachineId | None, deployment: DeploymentId | None, before: Before) -> Task:
    return Task(
        id=TaskId(0),
        kind=asked.kind,
        title=asked.title,
        owner=asked.by.name,
        created=asked.at,
        machine=machine,
        deployment=deployment,
        before=before,
    )


def overtake(db: sqlite3.Connection, tell: Tell, deployment: DeploymentId, why: str, now: float) -> None:
    """Cancel what was asked for a deployment and has not begun."""
    for task in tasks.open_of_deployment(db, deployment):
        if task.attempt is None and not task.job:
            changed(db, tell, task, ended(task, Status.CANCELLED, now, OVERTAKEN, why), now)


def changed(db: sqlite3.Connection, tell: Tell, before: Task, after: Task, now: float) -> Task:
    """Store a task that changed, and tell of its end."""
    if after != before:
        tasks.put(db, after)
    if before.open and not after.open:
        tell(task_event(after, now))
    return after


def follow(db: sqlite3.Connection, tell: Tell, before: Attempt | None, after: Attempt, now: float) -> None:
    """Tie an attempt that begins to the tasks that wait for it; end them with it."""
    if before is None:
        waiting = tasks.open_of_machine(db, after.machine)
        theirs = [each for each in waiting if awaits(each, after)]
    elif after.status is AttemptStatus.LIVE:
        return
    else:
        theirs = tasks.open_of_attempt(db, after.id)
    for task in theirs:
        changed(db, tell, task, followed(task, after, now), now)


def amendments(db: sqlite3.Connection, now: float) -> list[tuple[Task, Task]]:
    """The tasks that are not what machines, deployments and attempts say, each with what it has to be."""
    found = []
    for task in tasks.doubtful(db):
        after = judged(task, _facts(db, task), now)
        if after != task:
            found.append((task, after))
    return found


def amend(db: sqlite3.Connection, tell: Tell, now: float) -> None:
    """Make every open task what it has to be: level-triggered, for whatever was missed or cut off."""
    for before, after in amendments(db, now):
        changed(db, tell, before, after, now)


def _facts(db: sqlite3.Connection, task: Task) -> Facts:
    machine = machines.find(db, task.machine) if task.machine else None
    deployment = _deployment(db, task)
    return Facts(_attempt(db, task, machine), deployment, _of(deployment, machine))


def _of(deployment: Deployment | None, machine: Machine | None) -> Machine | None:
    """The machine, unless the deployment has left it: then it is on none."""
    left = deployment is not None and machine is not None and deployment.machine != machine.id
    return None if left else machine


def _deployment(db: sqlite3.Connection, task: Task) -> Deployment | None:
    return deployments.find(db, task.deployment) if task.deployment is not None else None


def _attempt(db: sqlite3.Connection, task: Task, machine: Machine | None) -> Attempt | None:
    if task.attempt is not None:
        return attempts.find(db, task.attempt)
    last = attempts.last_of(db, machine.id) if machine else None
    return last if last is not None and last.started >= task.created and awaits(task, last) else None
