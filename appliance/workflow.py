"""Attempts: how a machine is moved through deploy, start, stop and release, step by step. Pure.

An attempt is stored before each side effect. Every change here is a function from an attempt to the next one;
whoever calls stores the result in the same transaction as what it means for the machine.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NewType

from appliance.delivery import Delivery, on_disk, on_volume
from appliance.errors import Conflict
from appliance.machine import MachineId, State

AttemptId = NewType("AttemptId", str)
DeploymentId = NewType("DeploymentId", int)


class Kind(StrEnum):
    """What an attempt is for."""

    DEPLOY = "deploy"
    START = "start"
    STOP = "stop"
    RELEASE = "release"
    WIPE = "wipe"
    RESCUE = "rescue"
    """Into the maintenance stack, with SSH open."""
    END_RESCUE = "end-rescue"
    """Into a fresh maintenance stack, where nobody else is root."""


class Actor(StrEnum):
    """Who does a step."""

    AGENT = "agent"
    RESIDENT = "resident"
    BOOT = "boot"
    """Nobody: the machine gets there by booting, and the agent's arrival ends the step."""
    APPLIANCE = "appliance"
    """The daemon: the machine waits, and may as well be off."""


class Status(StrEnum):
    """Where an attempt stands."""

    LIVE = "live"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a workflow and what bounds it."""

    name: str
    actor: Actor
    patience: float
    """Seconds without any sign of the machine until the step fails. A POST of ten minutes is normal, and what can come
    first has to wait for somebody who walks to the power button."""
    limit: float
    """Seconds in total, signs or not."""
    label: str
    """What the console says while it runs."""
    secret: bool = False
    """Must not reach a boot that we did not arm: it hands out secrets, or destroys."""


PREPARE, WRITE, GROW, CONFIGURE = "prepare-disk", "write-image", "grow", "configure"
HAND_OVER, REPORT_ACTIVE, SHUT_DOWN, RETURN, WIPE_DISK = (
    "hand-over", "report-active", "shut-down", "return", "wipe-disk",
)  # fmt: skip
OPEN_SSH, RESTART = "rescue", "restart"
PROVIDE, GRANT, REVOKE, DISCARD = "provide-root", "grant-root", "revoke-root", "discard-root"
MINUTE = 60.0

STEPS: dict[str, Step] = {
    step.name: step
    for step in (
        Step(PREPARE, Actor.AGENT, 20 * MINUTE, 60 * MINUTE, "preparing the disk", secret=True),
        Step(WRITE, Actor.AGENT, 5 * MINUTE, 360 * MINUTE, "writing the image", secret=True),
        Step(GROW, Actor.AGENT, 10 * MINUTE, 60 * MINUTE, "growing the file system"),
        Step(CONFIGURE, Actor.AGENT, 20 * MINUTE, 60 * MINUTE, "writing its identity", secret=True),
        Step(HAND_OVER, Actor.AGENT, 20 * MINUTE, 60 * MINUTE, "handing over"),
        Step(REPORT_ACTIVE, Actor.RESIDENT, 20 * MINUTE, 60 * MINUTE, "waiting for its system to report"),
        Step(SHUT_DOWN, Actor.RESIDENT, 20 * MINUTE, 30 * MINUTE, "shutting its system down"),
        Step(RETURN, Actor.BOOT, 20 * MINUTE, 60 * MINUTE, "booting the maintenance stack"),
        # A spinning disk of 30 TB takes two days. The agent itself gives up on one that gets no further.
        Step(WIPE_DISK, Actor.AGENT, 20 * MINUTE, 7 * 24 * 60 * MINUTE, "wiping the disk", secret=True),
        # The keys that it hands out are public: a boot that nobody armed may have them too.
        Step(OPEN_SSH, Actor.AGENT, 20 * MINUTE, 60 * MINUTE, "opening SSH"),
        Step(RESTART, Actor.AGENT, 20 * MINUTE, 60 * MINUTE, "restarting the machine"),
        # Nobody is waited for: these are bounded as a whole. A volume without shared blocks is copied, all of it.
        Step(PROVIDE, Actor.APPLIANCE, 360 * MINUTE, 360 * MINUTE, "making its root volume"),
        Step(GRANT, Actor.APPLIANCE, 20 * MINUTE, 20 * MINUTE, "exporting its root"),
        Step(REVOKE, Actor.APPLIANCE, 20 * MINUTE, 20 * MINUTE, "ending the export of its root"),
        Step(DISCARD, Actor.APPLIANCE, 60 * MINUTE, 60 * MINUTE, "deleting its root volume"),
    )
}

BUSY_STATE: dict[Kind, State] = {
    Kind.DEPLOY: State.DEPLOYING,
    Kind.START: State.STARTING,
    Kind.STOP: State.STOPPING,
    Kind.RELEASE: State.RELEASING,
    Kind.WIPE: State.WIPING,
    Kind.RESCUE: State.RESCUING,
    Kind.END_RESCUE: State.INSPECTING,
}
END_STATE: dict[Kind, State] = {
    Kind.DEPLOY: State.ACTIVE,
    Kind.START: State.ACTIVE,
    Kind.STOP: State.STOPPED,
    Kind.RELEASE: State.IDLE,
    Kind.WIPE: State.IDLE,
    Kind.RESCUE: State.RESCUE,
    Kind.END_RESCUE: State.IDLE,
}
"""Where it leads; the end of a rescue to ``stopped`` where the machine has a deployment (``end_state``)."""
SILENT, LIMIT = "step-silent", "step-limit"
"""Codes of an attempt whose deadline has passed."""
BOOT_LOOP = 3
"""Boots within one step after which it is a loop and not slow firmware."""


def steps_for(kind: Kind, *, system_runs: bool, wipe: bool = False, delivery: str = Delivery.DISK) -> tuple[str, ...]:
    """The names of the steps.

    ``system_runs``: a deployed system runs and has to be shut down first; ``delivery``: how it gets its root.
    """
    down = (SHUT_DOWN, RETURN) if system_runs else ()
    volume = on_volume(delivery)
    cut = (REVOKE,) if volume else ()
    match kind:
        case Kind.DEPLOY:
            return (*down, *(cut if down else ()), *_made(delivery), CONFIGURE, HAND_OVER, REPORT_ACTIVE)
        case Kind.START:
            return (*((GRANT,) if volume else ()), HAND_OVER, REPORT_ACTIVE)
        case Kind.STOP:
            return (*down, *cut)
        case Kind.RELEASE:
            return (*down, *cut, *((DISCARD,) if volume else ()), *((WIPE_DISK,) if wipe else ()))
        case Kind.WIPE:
            return (WIPE_DISK,)
        case Kind.RESCUE:
            return (*down, *cut, OPEN_SSH)
        case Kind.END_RESCUE:
            return (*(down or (RESTART, RETURN)), *cut)


def _made(delivery: str) -> tuple[str, ...]:
    """What makes the root that is then configured."""
    if on_volume(delivery):
        return (PROVIDE, GRANT)
    return (PREPARE, WRITE, GROW) if on_disk(delivery) else ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at moving one machine through a workflow."""

    id: AttemptId
    kind: Kind
    machine: MachineId
    deployment: DeploymentId | None
    steps: tuple[str, ...]
    nonce: str
    """Ties a boot that we armed to this attempt."""
    started: float
    index: int = 0
    status: Status = Status.LIVE
    step_started: float = 0.0
    step_seen: float = 0.0
    """Last sign of the machine in this step; restarts its clock."""
    progress: float = 0.0
    """0 to 1, of the present step."""
    message: str = ""
    boots: int = 0
    """Boot scripts asked for in the present step."""
    armed: bool = False
    """One boot is ours: the user began this and nothing was handed out yet, or we told the machine to restart."""
    obeyed: bool = False
    """Whoever does the present step has been told to."""
    ended: float | None = None
    code: str = ""
    reason: str = ""
    results: dict[str, Any] = field(default_factory=dict)
    """What each finished step reported, by step name."""

    @property
    def step(self) -> Step | None:
        """The present step; None once all are done."""
        return STEPS[self.steps[self.index]] if self.index < len(self.steps) else None

    @property
    def finished(self) -> str | None:
        """The step that was finished last, by name; None in the first one."""
        return self.steps[self.index - 1] if self.index else None


def end_state(attempt: Attempt) -> State:
    """The state of its machine once it is done."""
    if attempt.kind is Kind.END_RESCUE and attempt.deployment is not None:
        return State.STOPPED
    return END_STATE[attempt.kind]


def begin(
    attempt_id: AttemptId,
    kind: Kind,
    machine: MachineId,
    deployment: DeploymentId | None,
    steps: tuple[str, ...],
    *,
    nonce: str,
    armed: bool,
    now: float,
) -> Attempt:
    """A fresh attempt in its first step; one without steps is done at once."""
    attempt = Attempt(attempt_id, kind, machine, deployment, steps, nonce, started=now, armed=armed)
    attempt = replace(attempt, step_started=now, step_seen=now)
    return attempt if steps else replace(attempt, status=Status.DONE, ended=now)


def deadline(attempt: Attempt) -> float | None:
    """Unix time at which the present step fails by itself; None for an attempt that has ended."""
    step = attempt.step
    if attempt.status is not Status.LIVE or step is None:
        return None
    return min(attempt.step_seen + step.patience, attempt.step_started + step.limit)


def seen(attempt: Attempt, now: float) -> Attempt:
    """A sign of the machine: the present step's clock starts again."""
    return replace(attempt, step_seen=now)


def progressed(attempt: Attempt, step: str, progress: float, message: str, now: float) -> Attempt:
    """The agent says how far the step is; raises Conflict for any other step than the present."""
    _require_present(attempt, step)
    bounded = min(max(progress, 0.0), 1.0)
    return replace(attempt, progress=bounded, message=message[:500], step_seen=now)


def step_done(attempt: Attempt, step: str, result: dict[str, Any], now: float) -> Attempt:
    """The step is finished: the next one begins, or the attempt is done.

    A repetition of an earlier "done" changes nothing; raises Conflict for a step that is not due.
    """
    if step in attempt.steps[: attempt.index]:
        return attempt
    _require_present(attempt, step)
    after = replace(
        attempt,
        index=attempt.index + 1,
        results={**attempt.results, step: result},
        step_started=now,
        step_seen=now,
        progress=0.0,
        message="",
        boots=0,
        obeyed=False,
    )
    return after if after.step else replace(after, status=Status.DONE, ended=now, armed=False)


def failed(attempt: Attempt, code: str, reason: str, now: float) -> Attempt:
    """The attempt ended badly; a second failure does not overwrite the first reason."""
    if attempt.status is not Status.LIVE:
        return attempt
    return replace(attempt, status=Status.FAILED, code=code, reason=reason, ended=now, armed=False)


def timed_out(attempt: Attempt, now: float) -> Attempt:
    """The attempt, failed where its deadline has passed."""
    end, step = deadline(attempt), attempt.step
    if end is None or step is None or now < end:
        return attempt
    if now >= attempt.step_started + step.limit:
        return failed(attempt, LIMIT, f"{step.label}: not finished after {minutes(step.limit)}", now)
    silent = f"{step.label}: no sign of the machine for {minutes(step.patience)}"
    return failed(attempt, SILENT, silent, now)


def restarted(attempt: Attempt, now: float) -> Attempt:
    """The machine asked for a boot script in this step; a third time within one step is a boot loop."""
    boots = attempt.boots + 1
    after = replace(attempt, boots=boots, step_seen=now)
    step = after.step
    if boots < BOOT_LOOP or step is None:
        return after
    return failed(after, "boot-loop", f"boot loop: {boots} boots while {step.label}", now)


ENTERED = "entered"
"""In the result of HAND_OVER: see ``entered``."""


def by_kexec(attempt: Attempt) -> bool:
    """Whether its maintenance stack gave way to the deployed system by kexec."""
    return bool(attempt.results.get(HAND_OVER, {}).get("method") == "kexec")


def entered(attempt: Attempt) -> Attempt:
    """The attempt, once the hand-over initrd of its kexec was heard of: whatever becomes of it, the kexec went well."""
    waits = attempt.step is not None and attempt.step.name == REPORT_ACTIVE and attempt.boots == 0
    if attempt.status is not Status.LIVE or not waits or not by_kexec(attempt):
        return attempt
    return replace(attempt, results={**attempt.results, HAND_OVER: {**attempt.results[HAND_OVER], ENTERED: True}})


def has_entered(attempt: Attempt) -> bool:
    """Whether what a kexec started was heard of before it reported active."""
    return bool(attempt.results.get(HAND_OVER, {}).get(ENTERED))


LABELS = "labels"
"""In the result of HAND_OVER: see ``labelling``."""


def relabels(attempt: Attempt) -> bool:
    """Whether its system restarts once by itself at its first start, to label its files for SELinux."""
    return bool(attempt.results.get(CONFIGURE, {}).get("relabels"))


def labelling(attempt: Attempt) -> Attempt:
    """The attempt, once the boot that it has armed has got its root: none is armed any more, but for one such restart.

    After a kexec the boot that is armed is that restart itself.
    """
    known = attempt.results.get(HAND_OVER, {})
    if not relabels(attempt) or by_kexec(attempt) or known.get(LABELS):
        return replace(attempt, armed=False)
    return replace(attempt, results={**attempt.results, HAND_OVER: {**known, LABELS: True}})


def kexec_hung(attempt: Attempt) -> bool:
    """Whether it failed since nothing at all was heard after a kexec: no report, and no firmware either."""
    silent = attempt.status is Status.FAILED and attempt.code in (SILENT, LIMIT)
    waited = attempt.step is not None and attempt.step.name == REPORT_ACTIVE and attempt.boots == 0
    return silent and waited and by_kexec(attempt) and not has_entered(attempt)


def minutes(seconds: float) -> str:
    """A length of time in words."""
    return f"{seconds / 60:.0f} minutes" if seconds >= 2 * MINUTE else f"{seconds:.0f} seconds"


def _require_present(attempt: Attempt, step: str) -> None:
    if attempt.status is not Status.LIVE or attempt.step is None or attempt.step.name != step:
        raise Conflict("stale-step", f"step {step[:40]!r} of attempt {attempt.id} is not due (any more)")
