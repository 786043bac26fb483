"""What a changed attempt means for its machine and deployment. Pure."""

from dataclasses import replace
from typing import Any

from appliance.delivery import in_memory, on_disk
from appliance.deployment import Deployment, DiskIdentity, Installed, detached, disk_identity
from appliance.machine import BUSY, Machine, State, moved
from appliance.rescue import opened
from appliance.wiping import Wiped, wiped, with_wiped
from appliance.workflow import (
    BUSY_STATE,
    CONFIGURE,
    DISCARD,
    OPEN_SSH,
    PREPARE,
    PROVIDE,
    WIPE_DISK,
    Attempt,
    Kind,
    Status,
    end_state,
    kexec_hung,
)


def machine_after(machine: Machine, attempt: Attempt) -> Machine:
    """The machine in the state that the attempt has brought it to, and with the record of a disk that it wiped."""
    if record := record_of_wipe(attempt):
        machine = replace(machine, wiped=with_wiped(machine.wiped, record))
    match attempt.status:
        case Status.LIVE:
            return machine if machine.state is BUSY_STATE[attempt.kind] else moved(machine, BUSY_STATE[attempt.kind])
        case Status.DONE:
            return _rescued(moved(machine, end_state(attempt)), attempt)
        case Status.FAILED if machine.state in BUSY:
            after = moved(machine, State.FAILED, code=attempt.code, reason=attempt.reason)
            # A rescue that failed is wanted no longer, as little as its end is: users ask again.
            after = replace(after, rescue=None) if attempt.kind in _RESCUES else after
            return replace(after, hand_over="reboot") if kexec_hung(attempt) else after
    return machine


def record_of_wipe(attempt: Attempt) -> Wiped | None:
    """What its last step has told of a disk that it wiped; None where that was no wipe."""
    if attempt.finished != WIPE_DISK:
        return None
    return wiped(attempt.results.get(WIPE_DISK, {}), attempt.step_started)


_RESCUES = (Kind.RESCUE, Kind.END_RESCUE)


def _rescued(machine: Machine, attempt: Attempt) -> Machine:
    if attempt.kind is Kind.RESCUE and machine.rescue is not None:
        result, now = attempt.results.get(OPEN_SSH, {}), attempt.ended or attempt.step_seen
        return replace(machine, rescue=opened(machine.rescue, result, machine.address, now))
    return replace(machine, rescue=None) if attempt.kind is Kind.END_RESCUE else machine


def deployment_after(deployment: Deployment, attempt: Attempt) -> Deployment:
    """The deployment with what the attempt's steps have found out."""
    if attempt.kind is Kind.RELEASE and attempt.status is Status.DONE:
        return detached(deployment)
    if PREPARE in attempt.results and deployment.disk is not None:
        # From here on the disk is the deployment's: what it holds is no reason any more to leave it alone.
        deployment = replace(deployment, disk=_owned(deployment.disk, attempt.results[PREPARE]))
    if attempt.finished == CONFIGURE and (deployment.disk is not None or not on_disk(deployment.delivery)):
        # Just then, and not at every later step: by then its system may have reported newer host keys.
        deployment = _installed(deployment, deployment.disk, attempt.results[CONFIGURE])
    return deployment


def deployment_given(deployment: Deployment, step: str) -> Deployment:
    """The deployment once an agent is told to do the step: what is overwritten can never boot again.

    What runs from memory is made anew by CONFIGURE alone; its system's tokens end there. What is on a volume ends with
    that, which the appliance does itself.
    """
    ends = (PREPARE, PROVIDE, CONFIGURE, DISCARD, WIPE_DISK)
    return replace(deployment, installed=None) if step in ends else deployment


def deployment_taken(deployment: Deployment, step: str, progress: float) -> Deployment:
    """The deployment once an agent tells how far such a step is: it has marked the disk, and gives up what was there.

    An agent that was cut off then leaves a disk that nobody agreed to lose as it is, and that is the deployment's.
    """
    if step not in TAKING or progress <= 0 or deployment.disk is None:
        return deployment
    return replace(deployment, disk=replace(deployment.disk, owned=True))


TAKING = (PREPARE, WIPE_DISK)
"""Steps that tell of progress only once nothing on the disk is kept."""


def _owned(disk: DiskIdentity, result: dict[str, Any]) -> DiskIdentity:
    reported = result.get("disk")
    model = disk_identity(reported).model if isinstance(reported, dict) else disk.model
    return replace(disk, owned=True, model=model or disk.model)


def _installed(deployment: Deployment, disk: DiskIdentity | None, result: dict[str, Any]) -> Deployment:
    keys = tuple(str(key)[:2000] for key in result.get("ssh_host_keys") or ())
    esp, root = result.get("esp_partuuid"), result.get("root_fsuuid")
    image = deployment.image if in_memory(deployment.delivery) else None
    installed = Installed(deployment.generation, disk, str(esp) if esp else None, str(root) if root else None, image)
    # The keys are stored when they are made, so that the first log-in can be checked against them.
    return replace(deployment, installed=installed, host_keys=keys or deployment.host_keys)
