"""Stores a changed attempt together with everything that it means."""

import sqlite3
from dataclasses import replace
from typing import Any

from appliance.deployment import Deployment
from appliance.events import Event
from appliance.machine import Machine
from appliance.reconcile.outcome import deployment_after, machine_after, record_of_wipe
from appliance.reconcile.record import Tell
from appliance.reconcile.tasks import follow
from appliance.store import attempts, deployments, machines, roots, tokens
from appliance.wiping import in_words, remarks
from appliance.workflow import HAND_OVER, RESTART, STEPS, WIPE_DISK, Attempt, DeploymentId, Kind, Status

LEAVING = (HAND_OVER, RESTART)
"""Steps after which the machine runs this maintenance stack no longer."""


def settle(
    db: sqlite3.Connection, tell: Tell, machine: Machine, before: Attempt | None, after: Attempt, now: float
) -> Machine:
    """Store ``after`` in place of ``before``, move machine and deployment along, tell what happened."""
    deployment = _deployment(db, after)
    moved_machine = machine_after(machine, after)
    attempts.put(db, after)
    machines.put(db, moved_machine)
    if deployment is not None:
        _store_deployment(db, deployment, after)
    for event in _events(before, after, machine, moved_machine, now):
        tell(event)
    follow(db, tell, before, after, now)
    _end_tokens(db, before, after)
    return moved_machine


def _deployment(db: sqlite3.Connection, attempt: Attempt) -> Deployment | None:
    return deployments.of_machine(db, attempt.machine) if attempt.deployment is not None else None


def _store_deployment(db: sqlite3.Connection, deployment: Deployment, attempt: Attempt) -> None:
    changed = deployment_after(deployment, attempt)
    if changed != deployment:
        deployments.put(db, changed)


def _end_tokens(db: sqlite3.Connection, before: Attempt | None, after: Attempt) -> None:
    """Once the machine leaves the maintenance stack, or its deployed system is gone, their tokens are worthless."""
    known = before.results if before else {}
    if any(step in after.results and step not in known for step in LEAVING):
        tokens.leave(db, after.machine)
    if after.kind is Kind.RELEASE and after.status is Status.DONE and after.deployment is not None:
        roots.end_system(db, after.deployment, after.machine)


def _events(before: Attempt | None, after: Attempt, old: Machine, new: Machine, now: float) -> list[Event]:
    def event(kind: str, text: str, reason: str = "", **detail: Any) -> Event:
        detail = {"attempt": after.id, "kind": after.kind, **detail}
        return Event(kind, now, text, reason, after.machine, after.deployment, detail)

    events = []
    if before is None:
        events.append(event("attempt.started", f"{after.kind} of {old.name} began", steps=list(after.steps)))
    for step in after.steps[before.index if before else 0 : after.index]:
        result = after.results.get(step, {})
        events.append(event("step.done", f"{STEPS[step].label}: done", step=step, result=result))
        if step == WIPE_DISK and (record := record_of_wipe(after)):
            events.append(event("disk.wiped", in_words(record), remarks(record), result=result))
    ended = after.status is not Status.LIVE and (before is None or before.status is Status.LIVE)
    if ended and after.status is Status.FAILED:
        events.append(event("attempt.failed", f"{after.kind} failed", after.reason, code=after.code))
    if ended and after.status is Status.DONE:
        events.append(event("attempt.done", f"{after.kind} is done"))
    return [*events, *machine_events(old, new, now, after.reason, after.deployment)]


def machine_events(
    old: Machine, new: Machine, now: float, why: str = "", deployment: DeploymentId | None = None
) -> list[Event]:
    """The events of a change of state and of the way to hand over, where there was one; ``why`` is of the latter."""
    events = []
    if old.state is not new.state:
        detail = {"from": old.state, "to": new.state}
        text = f"{new.name} is {new.state}"
        events.append(Event("machine.state", now, text, new.failed_reason, new.id, deployment, detail))
    if old.hand_over != new.hand_over:
        text = f"hand-over of {new.name} from {old.hand_over} to {new.hand_over}"
        events.append(Event("machine.changed", now, text, why, new.id, deployment))
    return events


def change_machine(db: sqlite3.Connection, tell: Tell, old: Machine, new: Machine, now: float, why: str = "") -> None:
    """Store a machine that changed without an attempt."""
    machines.put(db, new)
    for event in machine_events(old, new, now, why):
        tell(event)


def touched(machine: Machine, now: float, address: str | None = None) -> Machine:
    """The machine, seen now."""
    return replace(machine, last_seen=now, address=address or machine.address)
