"""Tasks: long pieces of work that users watch and can cancel. Pure.

A task follows an attempt, or a job of the daemon. What an attempt knows (how far it is, what it is at) is worked out
from it when somebody looks, and never stored twice.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NewType

from appliance.deployment import Deployment, Wanted, detached
from appliance.errors import Conflict
from appliance.intake import (
    IMAGE_ADD,
    IMAGE_BUILD,
    IMAGE_FETCH,
    ISO_ADD,
    ISO_FETCH,
    KERNEL_ADD,
    MODULES_ADD,
    MODULES_FETCH,
)
from appliance.machine import Machine, MachineId, State
from appliance.workflow import (
    CONFIGURE,
    DISCARD,
    GRANT,
    GROW,
    HAND_OVER,
    OPEN_SSH,
    PREPARE,
    PROVIDE,
    REPORT_ACTIVE,
    RESTART,
    RETURN,
    REVOKE,
    SHUT_DOWN,
    WIPE_DISK,
    WRITE,
    Attempt,
    AttemptId,
    DeploymentId,
    Kind,
)
from appliance.workflow import Status as AttemptStatus

TaskId = NewType("TaskId", int)

CANCELLED = "cancelled"
"""Code of an attempt, and of a task, that somebody cancelled."""
OVERTAKEN = "overtaken"
"""Code of a task whose wish was followed by another one before anything of it began."""

UPDATE_INSTALL, UPDATE_DOWNLOAD = "update.install", "update.download"
"""Kinds of the tasks by which the appliance itself is updated."""


class Status(StrEnum):
    """Where a task stands."""

    WAITING = "waiting"
    """Nothing of it has begun."""
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = frozenset({Status.WAITING, Status.RUNNING})
ENDED = frozenset(Status) - OPEN

TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.WAITING: frozenset({Status.RUNNING}) | ENDED,
    Status.RUNNING: ENDED,
    Status.DONE: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Before:
    """What a wish found, and what its cancellation brings back while nothing of it was done."""

    state: State | None = None
    """Of the machine."""
    wanted: Wanted | None = None
    """Of the deployment, as all that follows; None where the wish was about a machine alone."""
    generation: int = 1
    retry: bool = False
    assigned: bool = True
    """Whether the deployment was on a machine already."""
    installed: bool = False
    """Whether the disk held a system of the deployment that can boot again."""


@dataclass(frozen=True, slots=True)
class Task:
    """One long piece of work. Times are Unix time."""

    id: TaskId
    kind: str
    """Those of ACTIONS follow an attempt; all others are jobs of the daemon."""
    title: str
    owner: str
    """The name of whoever asked for it."""
    created: float
    status: Status = Status.WAITING
    progress: float = 0.0
    """0 to 1: of a job, and how far the attempt came where that has ended; see ``progress_of``."""
    message: str = ""
    machine: MachineId | None = None
    deployment: DeploymentId | None = None
    attempt: AttemptId | None = None
    result: dict[str, Any] = field(default_factory=dict)
    """What a job has brought; empty for what follows an attempt."""
    code: str = ""
    reason: str = ""
    """Why it failed or was cancelled."""
    ended: float | None = None
    job: bool = False
    """The daemon does it itself; False: it follows an attempt."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """What a job was asked to do."""
    before: Before | None = None
    cancelled_by: str = ""
    """Who wants a job to end; it does once the item that it is at is finished."""

    @property
    def open(self) -> bool:
        """Whether it still goes on."""
        return self.status in OPEN


ACTIONS: dict[str, frozenset[str]] = {
    "deployment.start": frozenset({"deploy", "start"}),
    "deployment.stop": frozenset({"stop"}),
    "deployment.release": frozenset({"release"}),
    "deployment.redeploy": frozenset({"deploy"}),
    "deployment.retry": frozenset({"deploy", "start", "stop", "release"}),
    "machine.rescue": frozenset({"rescue"}),
    "machine.end-rescue": frozenset({"end-rescue"}),
}
"""The kinds of tasks that follow an attempt, and the kinds of attempts that they lead to."""


def awaits(task: Task, attempt: Attempt) -> bool:
    """Whether the attempt is what the task waits for."""
    if task.status is not Status.WAITING or attempt.kind not in ACTIONS.get(task.kind, ()):
        return False
    return task.machine == attempt.machine and task.deployment in (None, attempt.deployment)


def begun(task: Task, attempt: AttemptId | None = None) -> Task:
    """The task, at work; ``attempt`` is what it follows. One that has ended stays as it is."""
    if not task.open:
        return task
    return replace(task, status=Status.RUNNING, attempt=attempt or task.attempt)


def ended(
    task: Task, status: Status, now: float, code: str = "", reason: str = "", result: dict[str, Any] | None = None
) -> Task:
    """The task, ended as ``status`` says; a second end does not overwrite the first one."""
    if status not in TRANSITIONS[task.status] or status not in ENDED:
        return task
    progress = 1.0 if status is Status.DONE else task.progress
    outcome = task.result if result is None else result
    return replace(task, status=status, progress=progress, code=code, reason=reason, result=outcome, ended=now)


def followed(task: Task, attempt: Attempt, now: float) -> Task:
    """The task as its attempt makes it: at work, or ended as that did."""
    if not task.open:
        return task
    if attempt.status is AttemptStatus.LIVE:
        return begun(task, attempt.id)
    task = begun(task, attempt.id)
    if attempt.status is AttemptStatus.DONE:
        return ended(task, Status.DONE, now)
    status = Status.CANCELLED if attempt.code == CANCELLED else Status.FAILED
    return ended(replace(task, progress=progress_of(task, attempt)), status, now, attempt.code, attempt.reason)


WEIGHTS = {
    SHUT_DOWN: 2.0,
    RETURN: 6.0,
    PREPARE: 2.0,
    WRITE: 10.0,
    GROW: 1.0,
    CONFIGURE: 2.0,
    HAND_OVER: 1.0,
    REPORT_ACTIVE: 6.0,
    WIPE_DISK: 20.0,
    OPEN_SSH: 1.0,
    RESTART: 1.0,
    PROVIDE: 4.0,
    GRANT: 0.5,
    REVOKE: 0.5,
    DISCARD: 0.5,
}
"""How long steps take beside each other, about: a bar that moves evenly, and promises nothing."""


def weights_of(attempt: Attempt) -> list[float]:
    """How long its steps take beside each other, about."""
    return [WEIGHTS.get(step, 1.0) for step in attempt.steps]


def share_done(attempt: Attempt) -> float:
    """How far an attempt is, 0 to 1; one without steps is done."""
    weights = weights_of(attempt)
    if not weights:
        return 1.0
    past = sum(weights[: attempt.index])
    present = weights[attempt.index] * attempt.progress if attempt.step else 0.0
    return min((past + present) / sum(weights), 1.0)


def progress_of(task: Task, attempt: Attempt | None) -> float:
    """How far the task is, 0 to 1; ``attempt`` is what it follows."""
    if not task.open or attempt is None or not attempt.steps:
        return task.progress
    return share_done(attempt)


def message_of(task: Task, attempt: Attempt | None) -> str:
    """What the task is at, in words; empty once it has ended."""
    if not task.open:
        return ""
    if attempt is None or attempt.step is None:
        return task.message
    return ": ".join(words for words in (attempt.step.label, attempt.message) if words)


@dataclass(frozen=True, slots=True)
class Prospect:
    """Whether a task can be cancelled, and in words what that would mean, or why it cannot."""

    possible: bool
    text: str


_LOST = "What was on the disk is lost."
_THEN = "Its machine is failed then: retry or release."
_THEN_RESCUE = "Its machine is failed then: rescue it again, or end the rescue."
_REMOVED = Prospect(True, "What there is of the new volume is removed.")
_TO_ITS_END = Prospect(False, "It goes on to its end once it has begun: half of it would be worse.")
_STAYS_DONE = Prospect(True, "What is done stays done; the rest is left as it is.")
STORAGE = {
    "volume.create": _REMOVED,
    "volume.snapshot": _REMOVED,
    "volume.clone": _REMOVED,
    "volume.fill": _REMOVED,
    "volume.roll-back": Prospect(True, "The volume stays as it is, or holds what its snapshot has kept; never half."),
    "volume.grow": _TO_ITS_END,
    "pool.make": _TO_ITS_END,
    "pool.adopt": _TO_ITS_END,
    "pool.extend": _TO_ITS_END,
    "pool.retire": _TO_ITS_END,
    "pool.examine": _TO_ITS_END,
    "pool.repair": _TO_ITS_END,
    "volume.rename": _STAYS_DONE,
    "volume.delete": _STAYS_DONE,
}
"""What it means to cancel a change of a pool or a volume, by the kind of its task, see ``pool.Deed``."""
_SLOT_LOST = Prospect(
    True,
    "Writing the other slot stops; that slot cannot be started then, and there is no version to go back to. The one in"
    " use is not touched, and the update stays here to be installed again.",
)
_KEPT_A_DAY = Prospect(
    True,
    "Nothing is added. What came is kept for a day: asked for once more under the same name, it goes on there."
    " It can be removed before.",
)
VMS = {
    "vm.create": Prospect(True, "What there is of the new VM and its volumes is removed."),
    "vm.add-disk": Prospect(True, "The new volume is removed; the VM stays as it is."),
    "vm.shut-down": Prospect(True, "What its system was told stays told; it is not switched off by force any more."),
    "vm.delete": Prospect(False, "It goes on to its end once it has begun: half of a VM is of no use."),
}
"""What becomes of the work of VMs where it is cancelled, by kind."""
VMS_BULK = "vms.bulk"
"""Kind of the task that gives one order to many VMs."""
_JOBS = (STORAGE | VMS) | {
    UPDATE_INSTALL: _SLOT_LOST,
    IMAGE_FETCH: _KEPT_A_DAY,
    IMAGE_ADD: _KEPT_A_DAY,
    ISO_FETCH: _KEPT_A_DAY,
    ISO_ADD: _KEPT_A_DAY,
    KERNEL_ADD: _KEPT_A_DAY,
    MODULES_ADD: _KEPT_A_DAY,
    MODULES_FETCH: _KEPT_A_DAY,
    IMAGE_BUILD: Prospect(True, "Nothing is added, and nothing of what was made is kept."),
}
"""The same for every kind of job of which more is to be said than that what is done stays done."""
_INTACT = "Its system is shut down; start it again, nothing was overwritten."
_LOST_ROOT = "What was on the one before is lost."
_CUT: dict[str, str] = {
    SHUT_DOWN: "Its system was told to shut down, and does.",
    RETURN: "The system that ran is shut down already, and stays so.",
    PREPARE: f"Clearing the disk stops. {_LOST}",
    WRITE: f"Writing the image stops, and the disk cannot boot. {_LOST}",
    GROW: "The disk stays without its identity, and is not started.",
    CONFIGURE: "The system stays without its identity, and is not started.",
    HAND_OVER: "Its system is not started.",
    WIPE_DISK: f"The disk stays wiped in part; an erase of its own it brings to an end. {_LOST}",
    OPEN_SSH: "SSH may be open already, and stays so until the machine restarts.",
    RESTART: "The machine may restart all the same.",
    PROVIDE: f"Its root volume stays unfinished, until it is made anew or released. {_LOST_ROOT}",
    GRANT: "Its root may be exported to it already, and stays so until it is stopped or released.",
    REVOKE: "Its root may still be exported to it, until it is stopped or released.",
    DISCARD: "Its root volume may be deleted already.",
}


def untouched(attempt: Attempt) -> bool:
    """Whether nothing was done for it yet: its first step was handed to nobody, and no boot was decided for it."""
    return attempt.index == 0 and not attempt.obeyed and attempt.boots == 0


def intact(task: Task, attempt: Attempt) -> bool:
    """Whether it is a deploy which has shut a system down, and overwritten nothing of it yet."""
    step = attempt.step
    if step is None or attempt.kind is not Kind.DEPLOY or task.before is None or not task.before.installed:
        return False
    if step.name == SHUT_DOWN:
        return attempt.obeyed
    first = next(each for each in (PREPARE, PROVIDE, CONFIGURE) if each in attempt.steps)
    return step.name in (RETURN, REVOKE) or (step.name == first and not attempt.obeyed)


_BROUGHT_BACK = (State.DISCOVERED, State.IDLE, State.ACTIVE, State.STOPPED)


def brought_back(task: Task, attempt: Attempt) -> State | None:
    """The state to which the machine comes back when the task is cancelled now; None where it fails instead."""
    state = task.before.state if task.before else None
    return state if untouched(attempt) and state in _BROUGHT_BACK else None


def prospect(task: Task, attempt: Attempt | None) -> Prospect:
    """Whether it can be cancelled now; ``attempt`` is what it follows."""
    if not task.open:
        return Prospect(False, f"It is {task.status} already.")
    if task.job:
        if task.cancelled_by:
            return Prospect(False, f"{task.cancelled_by} has cancelled it; it ends after what it is at.")
        return _JOBS.get(task.kind, _STAYS_DONE)
    if attempt is None:
        return Prospect(True, "Nothing of it has begun. The wish is taken back.")
    if brought_back(task, attempt):
        return Prospect(True, "Nothing was done to the machine yet. Everything is as it was before.")
    if intact(task, attempt):
        return Prospect(True, _INTACT)
    step = attempt.step
    if step is None or step.name == REPORT_ACTIVE:
        return Prospect(False, "The machine was handed over, and its system starts. Stop it once it is active.")
    then = _THEN_RESCUE if attempt.kind in (Kind.RESCUE, Kind.END_RESCUE) else _THEN
    return Prospect(True, f"{_cut(attempt, step.name)} {then}")


def _cut(attempt: Attempt, step: str) -> str:
    """What becomes of the machine, and of its disk, when the step is given up now."""
    if step == SHUT_DOWN and not attempt.obeyed:
        return "Its system was not told to shut down yet, and goes on."
    if step in (PREPARE, WIPE_DISK) and not attempt.obeyed:
        return "The disk was not touched yet, and stays as it is."
    if step == RETURN and attempt.kind is Kind.END_RESCUE and attempt.finished == RESTART:
        return "The machine restarts all the same."
    return _CUT[step]


def withdrawn(deployment: Deployment, before: Before) -> Deployment:
    """The deployment as it was before a wish of which nothing was done."""
    if before.wanted is None:
        return deployment
    after = replace(deployment, wanted=before.wanted, generation=before.generation, retry=before.retry)
    return after if before.assigned else detached(after)


def with_canceller(task: Task, name: str) -> Task:
    """A job that somebody wants to end."""
    return replace(task, cancelled_by=name) if task.open else task


def check_cancel(task: Task, attempt: Attempt | None) -> None:
    """Raise Conflict ``cancel-refused`` where it cannot be cancelled now."""
    found = prospect(task, attempt)
    if not found.possible:
        raise Conflict("cancel-refused", f"{task.title} cannot be cancelled: {found.text}", "look at it again later")


@dataclass(frozen=True, slots=True)
class Facts:
    """What there is of the things that a task is about."""

    attempt: Attempt | None
    """The one that it follows, or that was begun for it."""
    deployment: Deployment | None
    machine: Machine | None


def judged(task: Task, facts: Facts, now: float) -> Task:
    """The task as it has to be, whatever was missed: the same where nothing was."""
    if facts.attempt is not None:
        return followed(task, facts.attempt, now)
    if task.attempt is not None:
        return ended(task, Status.FAILED, now, "attempt-gone", "what it followed is not known any more")
    if task.deployment is not None and facts.deployment is None:
        return ended(task, Status.CANCELLED, now, "deployment-deleted", "its deployment was deleted")
    if facts.deployment is not None and settled(facts.deployment, facts.machine):
        return ended(task, Status.DONE, now)
    if task.machine is not None and facts.machine is None:
        return ended(task, Status.CANCELLED, now, "machine-deleted", "its machine was deleted")
    if facts.machine is not None and facts.machine.state is State.BROKEN:
        return ended(task, Status.FAILED, now, "machine-broken", f"{facts.machine.name} was called broken")
    return task


def settled(deployment: Deployment, machine: Machine | None) -> bool:
    """Whether the deployment is what was asked for last; ``machine`` is the one that it is on."""
    if deployment.machine is None or machine is None:
        return deployment.wanted is Wanted.RELEASED and deployment.machine is None
    if deployment.wanted is Wanted.STOPPED:
        return machine.state is State.STOPPED
    current = deployment.installed is not None and deployment.installed.generation == deployment.generation
    return deployment.wanted is Wanted.RUNNING and machine.state is State.ACTIVE and current
