"""The boot decision: what a machine that asks for a boot script gets, and why. Pure.

Every request for a script is a sign that the machine restarted, so the decision also says what that means for
the live attempt. Whoever calls stores ``attempt`` and ``machine`` and writes ``reason`` to the timeline.
"""

from dataclasses import dataclass, replace
from typing import Literal

from appliance.deployment import Deployment
from appliance.machine import MacAddress, Machine, State, moved
from appliance.rescue import closed
from appliance.workflow import (
    HAND_OVER,
    SHUT_DOWN,
    Attempt,
    Kind,
    Status,
    by_kexec,
    failed,
    has_entered,
    relabels,
    restarted,
    step_done,
)

UnknownPolicy = Literal["enlist", "local-disk", "ignore"]


@dataclass(frozen=True, slots=True)
class BootRequest:
    """What iPXE said of the machine that it runs on; every string is hostile until cleaned."""

    mac: MacAddress
    uuid: str | None
    serial: str | None
    firmware: str
    """``bios`` or ``uefi``."""
    product: str
    manufacturer: str
    address: str
    """IPv4 address that the request came from."""
    server: str
    """Our own IPv4 address that it was sent to."""
    proven: bool
    """Whether that address is the machine's; others must not speak for it."""
    architecture: str = ""
    """What the boot program was built for, as iPXE names it; empty where it does not say."""


@dataclass(frozen=True, slots=True)
class MaintenanceStack:
    """Boot the maintenance stack; ``armed`` gives it the rights of the live attempt."""

    armed: bool


@dataclass(frozen=True, slots=True)
class NetworkRoot:
    """Boot the hand-over initrd, which gets the deployment's root; ``armed`` gives it the rights of the attempt."""

    armed: bool
    files: str = ""
    """URL path of the directory with its kernel and what belongs to that; empty: the maintenance stack's."""
    append: str = ""
    """What the kernel is told besides: words that boot scripts hold as they are."""


@dataclass(frozen=True, slots=True)
class LocalDisk:
    """Boot what was installed, found by identifiers and not by the order of disks."""

    esp_partuuid: str | None
    root_fsuuid: str | None


@dataclass(frozen=True, slots=True)
class NextEntry:
    """Leave to firmware's next boot entry."""


@dataclass(frozen=True, slots=True)
class NoStack:
    """It should boot the maintenance stack, and there is none for its processor: it waits, and says so."""

    architecture: str
    """As iPXE names it: ``arm64``, ``arm32``, ``riscv64``, ``loong64``."""


BootSpec = MaintenanceStack | NetworkRoot | LocalDisk | NextEntry | NoStack

STACK_ARCHITECTURES = ("x86_64", "i386", "")
"""What iPXE may be built for where the stack runs: its 32-bit build runs on 64-bit processors too, and one that does
not say is taken to be right."""


def fitting(spec: BootSpec, architecture: str) -> BootSpec:
    """The decision as it can be carried out on a processor of this architecture."""
    if isinstance(spec, MaintenanceStack | NetworkRoot) and architecture not in STACK_ARCHITECTURES:
        return NoStack(architecture)
    return spec


@dataclass(frozen=True, slots=True)
class Decision:
    """What to boot, the reason in words, and the machine and attempt as they are afterwards."""

    spec: BootSpec
    reason: str
    machine: Machine | None = None
    attempt: Attempt | None = None


def decide_unknown(policy: UnknownPolicy) -> BootSpec:
    """For a machine that is not in the fleet."""
    return MaintenanceStack(armed=False) if policy == "enlist" else NextEntry()


def decide(machine: Machine, attempt: Attempt | None, deployment: Deployment | None, now: float) -> Decision:
    """For a machine of the fleet, with its live attempt and its deployment, if it has them."""
    if attempt is not None and attempt.status is Status.LIVE:
        return _during(machine, restarted(attempt, now), deployment, now)
    if machine.state is State.ACTIVE:
        return Decision(_root(deployment), f"its deployment {_name(deployment)} is active", machine)
    if machine.rescue is not None and machine.state is State.RESCUE:
        # What was open is gone with the stack that ran; the reconcile loop sees that it is wanted, and open nowhere.
        machine = replace(machine, rescue=closed(machine.rescue))
        return Decision(MaintenanceStack(armed=False), "it is in rescue, and its SSH opens again", machine)
    return Decision(MaintenanceStack(armed=False), _why_stack(machine, deployment), machine)


def decide_unproven(machine: Machine, attempt: Attempt | None, deployment: Deployment | None, now: float) -> BootSpec:
    """What the machine would get, without the rights of an attempt, for somebody who may be another.

    Nothing of the decision is to be stored: it was not the machine that restarted.
    """
    spec = decide(machine, attempt, deployment, now).spec
    return replace(spec, armed=False) if isinstance(spec, MaintenanceStack | NetworkRoot) else spec


def _why_stack(machine: Machine, deployment: Deployment | None) -> str:
    if machine.state is State.FAILED:
        return f"its last attempt failed ({machine.failed_reason}); it waits for a retry"
    if machine.state is State.STOPPED:
        return f"its deployment {_name(deployment)} is stopped; the machine stays reserved"
    if deployment is not None:
        return f"it is {machine.state} and waits for its deployment {_name(deployment)} to begin"
    return f"it is {machine.state} and no deployment is assigned"


def _during(machine: Machine, attempt: Attempt, deployment: Deployment | None, now: float) -> Decision:
    if attempt.status is Status.FAILED:
        return _give_up(machine, attempt)
    step = attempt.step
    assert step is not None, "a live attempt has a present step"
    match step.name:
        case "report-active":
            return _before_active(machine, attempt, deployment)
        case "hand-over" if attempt.kind is Kind.START or attempt.obeyed:
            # Powered on by hand, or the kexec never happened: booting the disk is the hand-over.
            attempt = step_done(attempt, HAND_OVER, {"method": "reboot"}, now)
            return Decision(_root(deployment, attempt), f"{_name(deployment)} is to run", machine, attempt)
        case "shut-down" | "restart":
            attempt = step_done(attempt, step.name, {"seen": "boot"}, now)
            what = "its system shut down" if step.name == SHUT_DOWN else "it left the stack of its rescue"
            return Decision(MaintenanceStack(attempt.armed), f"{what} to {attempt.kind}", machine, attempt)
        case "prepare-disk" | "write-image" | "grow" | "configure" | "hand-over" | "wipe-disk" if not attempt.armed:
            reason = f"the machine restarted by itself while {step.label}"
            return _give_up(machine, failed(attempt, "restarted", reason, now))
        case _:
            return Decision(MaintenanceStack(attempt.armed), f"it is to {attempt.kind}: {step.label}", machine, attempt)


def _before_active(machine: Machine, attempt: Attempt, deployment: Deployment | None) -> Decision:
    """The deployed system should be up by now, yet firmware runs."""
    if not by_kexec(attempt):
        return Decision(_root(deployment, attempt), f"{_name(deployment)} is to run", machine, attempt)
    if relabels(attempt):
        reason = f"{_name(deployment)} restarts once to label its files for SELinux"
        return Decision(_root(deployment, attempt), reason, machine, attempt)
    if has_entered(attempt):
        reason = f"the hand-over initrd of {_name(deployment)} could not go on and restarted it; its kexec went well"
        return Decision(_root(deployment, attempt), reason, machine, attempt)
    reason = f"kexec into {_name(deployment)} ended in silence; it boots through its firmware, now and from here on"
    return Decision(_root(deployment, attempt), reason, replace(machine, hand_over="reboot"), attempt)


def _give_up(machine: Machine, attempt: Attempt) -> Decision:
    after = moved(machine, State.FAILED, code=attempt.code, reason=attempt.reason)
    return Decision(MaintenanceStack(armed=False), f"{attempt.reason}; it waits for a retry", after, attempt)


def _root(deployment: Deployment | None, attempt: Attempt | None = None) -> BootSpec:
    """Where its system is; ``attempt`` is the live one."""
    installed = deployment.installed if deployment else None
    if installed is None:
        return NextEntry()
    if installed.disk is None:
        return NetworkRoot(armed=attempt is not None and attempt.armed)
    return LocalDisk(installed.esp_partuuid, installed.root_fsuuid)


def _name(deployment: Deployment | None) -> str:
    return deployment.name if deployment else "(deleted)"
