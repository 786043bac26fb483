"""What is to be begun or given up, from what is wanted and what is so. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from appliance.delivery import Delivery
from appliance.deployment import Deployment, Wanted
from appliance.machine import Machine, MachineId, State, in_rescue
from appliance.workflow import Attempt, Kind, deadline, steps_for


@dataclass(frozen=True, slots=True)
class Observed:
    """One snapshot of the store."""

    machines: dict[MachineId, Machine]
    deployments: Sequence[Deployment]
    attempts: Sequence[Attempt]
    """The live ones."""
    in_stack: frozenset[MachineId]
    """Machines whose agent has a session: they run the maintenance stack, as far as we know."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin an attempt."""

    kind: Kind
    machine: MachineId
    deployment: Deployment | None
    """As it is to be stored when it begins; None for a machine without one."""
    steps: tuple[str, ...]
    armed: bool


@dataclass(frozen=True, slots=True)
class Expire:
    """A deadline has passed."""

    attempt: Attempt


Action = Begin | Expire


def plan(observed: Observed, now: float) -> list[Action]:
    """Everything that is due now. Applying it twice is the same as once: each action checks again."""
    busy = {attempt.machine for attempt in observed.attempts}
    actions: list[Action] = [Expire(attempt) for attempt in observed.attempts if _overdue(attempt, now)]
    actions += _rescues(observed, busy)
    for deployment in observed.deployments:
        machine = observed.machines.get(deployment.machine) if deployment.machine else None
        if machine is None or machine.id in busy or in_rescue(machine):
            continue
        kind = _due(deployment, machine)
        if kind is not None:
            actions.append(_begin(kind, deployment, machine, observed))
    return actions


def _rescues(observed: Observed, busy: set[MachineId]) -> list[Begin]:
    on = {deployment.machine: deployment for deployment in observed.deployments if deployment.machine}
    begun = []
    for machine in observed.machines.values():
        kind = _rescue_due(machine)
        if kind is not None and machine.id not in busy:
            deployment = on.get(machine.id)
            runs = deployment is not None and _system_runs(machine, observed)
            steps = steps_for(kind, system_runs=runs, delivery=deployment.delivery if deployment else Delivery.DISK)
            begun.append(Begin(kind, machine.id, deployment, steps, armed=True))
    return begun


_RESCUED = (State.DISCOVERED, State.IDLE, State.ACTIVE, State.STOPPED, State.FAILED)


def _rescue_due(machine: Machine) -> Kind | None:
    rescue = machine.rescue
    if rescue is None:
        return None
    if rescue.ended:
        return Kind.END_RESCUE if machine.state in (State.RESCUE, State.FAILED) else None
    if machine.state is State.RESCUE:  # since its SSH opened the machine has restarted
        return Kind.RESCUE if rescue.since is None else None
    return Kind.RESCUE if machine.state in _RESCUED else None


def next_wake(observed: Observed, now: float, longest: float) -> float:
    """Seconds until a deadline can pass, ``longest`` at most."""
    ends = [end for attempt in observed.attempts if (end := deadline(attempt)) is not None]
    return max(0.0, min([longest, *(end - now for end in ends)]))


def _overdue(attempt: Attempt, now: float) -> bool:
    end = deadline(attempt)
    return end is not None and now >= end


_RETRIED: dict[State, Kind] = {
    State.DEPLOYING: Kind.DEPLOY,
    State.STARTING: Kind.START,
    State.STOPPING: Kind.STOP,
    State.RELEASING: Kind.RELEASE,
}


def _due(deployment: Deployment, machine: Machine) -> Kind | None:
    if machine.state is State.FAILED:
        return _after_failure(deployment, machine)
    match deployment.wanted:
        case Wanted.RUNNING:
            return _towards_running(deployment, machine)
        case Wanted.STOPPED:
            return Kind.STOP if machine.state is State.ACTIVE else None
        case Wanted.RELEASED:
            return Kind.RELEASE if machine.state in (State.ACTIVE, State.STOPPED, State.IDLE) else None


def _after_failure(deployment: Deployment, machine: Machine) -> Kind | None:
    """A failed machine rests until the user says how it goes on."""
    failed_from = machine.failed_from
    if deployment.retry and failed_from is not None:
        return _RETRIED.get(failed_from)
    if deployment.wanted is Wanted.RELEASED and failed_from is not State.RELEASING:
        return Kind.RELEASE
    return None


def _towards_running(deployment: Deployment, machine: Machine) -> Kind | None:
    if not deployment.current:
        return Kind.DEPLOY if machine.state in (State.IDLE, State.STOPPED, State.ACTIVE) else None
    # Idle with its deployment on the disk: it was called broken and mended. Its data is still there.
    return Kind.START if machine.state in (State.STOPPED, State.IDLE) else None


def _begin(kind: Kind, deployment: Deployment, machine: Machine, observed: Observed) -> Begin:
    runs, delivery = _system_runs(machine, observed), deployment.delivery
    steps = steps_for(kind, system_runs=runs, wipe=deployment.wipes, delivery=delivery)
    # It may be off, or restarting although it gave a sign just now: until a step is handed out, its boot is ours.
    return Begin(kind, machine.id, replace(deployment, retry=False), steps, armed=bool(steps))


def _system_runs(machine: Machine, observed: Observed) -> bool:
    """Whether the system of its deployment runs, as far as we know."""
    away = machine.state is State.FAILED and machine.id not in observed.in_stack
    return machine.state is State.ACTIVE or away
