"""What an action on a deployment would do, said before it is done. Pure."""

from dataclasses import dataclass, replace
from enum import StrEnum

from appliance.deployment import Deployment, DiskIdentity, Wanted
from appliance.errors import Conflict
from appliance.machine import BUSY, Machine, State


class Action(StrEnum):
    """What a user can ask of a deployment."""

    START = "start"
    STOP = "stop"
    RELEASE = "release"
    REDEPLOY = "redeploy"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Consequences:
    """Sentences, what must be typed to confirm (None: nothing), and why it is refused (empty: it is not)."""

    texts: tuple[str, ...] = ()
    confirm: str | None = None
    refused: str = ""
    choice: Deployment | None = None
    """The deployment with machine and disk chosen, for a start on a machine yet to be found."""

    @property
    def content(self) -> str:
        """Fingerprint of what is on the disk that is overwritten: it comes back with the confirmation."""
        disk = self.choice.disk if self.choice else None
        return disk.content if disk and self.confirm is not None else ""


def check_agreement(foreseen: Consequences, confirm: str | None, content: str) -> None:
    """Raise Conflict unless this is what has to be agreed to, and what was seen when it was."""
    if foreseen.confirm is None:
        return
    text = " ".join(foreseen.texts)
    if confirm != foreseen.confirm:
        raise Conflict("confirmation-needed", text, f"confirm with {foreseen.confirm!r}", "confirm")
    if content == foreseen.content:
        return
    if not content:
        raise Conflict("confirmation-needed", text, "send the content that the consequences tell", "content")
    changed = f"What is on the disk has changed since it was shown. {text}"
    raise Conflict("content-changed", changed, "look at it again, then confirm", "content")


def consequences_of(
    deployment: Deployment, machine: Machine | None, action: Action, choice: Deployment | None = None
) -> Consequences:
    """``choice`` is the deployment with machine and disk chosen, for a start on a machine yet to be found."""
    refusal = _refusal(deployment, machine, action)
    if refusal:
        return Consequences(refused=refusal)
    if action is Action.START:
        return _start(deployment, choice)
    if action is Action.STOP:
        return Consequences((f"{deployment.name} is shut down; its machine and disk stay reserved.",))
    if action is Action.RETRY:
        assert machine is not None
        return Consequences((f"What failed is tried again: {machine.failed_from} {deployment.name}.",))
    return _destructive(deployment, machine, action)


def _refusal(deployment: Deployment, machine: Machine | None, action: Action) -> str:
    if machine is None:
        return "" if action is Action.START else f"{deployment.name} is on no machine"
    if machine.state in BUSY:
        return f"{machine.name} is {machine.state}; wait until that has ended"
    if machine.state is State.BROKEN and action is not Action.RELEASE:
        return f"{machine.name} is broken; release {deployment.name}, then start it on another machine"
    if action is Action.RETRY:
        return "" if machine.state is State.FAILED else f"nothing of {deployment.name} has failed"
    if action is Action.START:
        return _start_refusal(deployment, machine)
    if action is Action.STOP and machine.state is not State.ACTIVE:
        return f"{deployment.name} is not running: {machine.name} is {machine.state}"
    if machine.state is State.FAILED:
        return _failed_refusal(machine, action)
    return ""


def _failed_refusal(machine: Machine, action: Action) -> str:
    if action is Action.REDEPLOY:
        return "retry it, or release it and start it again"
    return "its release has failed; retry it" if machine.failed_from is State.RELEASING else ""


def _start_refusal(deployment: Deployment, machine: Machine) -> str:
    if machine.state is State.FAILED:
        return f"{machine.name} has failed ({machine.failed_reason}); retry instead"
    return f"{deployment.name} is wanted running already" if deployment.wanted is Wanted.RUNNING else ""


def _start(deployment: Deployment, choice: Deployment | None) -> Consequences:
    if choice is None or choice.disk is None:
        return Consequences((f"{deployment.name} boots again from its disk, with its data.",))
    text = f"Everything on {describe(choice.disk)} is overwritten."
    return Consequences((text,), None if choice.disk.empty else choice.disk.serial or choice.disk.wwn, choice=choice)


def _destructive(deployment: Deployment, machine: Machine | None, action: Action) -> Consequences:
    assert machine is not None
    # What was noted at the start was there before this deployment; what is lost now is its own.
    disk = replace(deployment.disk, summary=f"system and data of {deployment.name}") if deployment.disk else None
    on = describe(disk) if disk else "its disk"
    if machine.state is State.BROKEN:
        text = f"{deployment.name} is taken off {machine.name}, which is broken; what is on {on} stays as it is."
    elif action is Action.REDEPLOY:
        text = f"The image is written anew: everything of {deployment.name} on {on} in {machine.name} is lost."
    elif deployment.wipes:
        text = f"{deployment.name} is shut down and {on} in {machine.name} is wiped: everything on it is lost."
    else:
        text = f"{deployment.name} is shut down and {machine.name} goes back to the fleet; what is on {on} stays there."
    return Consequences((text,), deployment.name)


def describe(disk: DiskIdentity) -> str:
    """A disk in words: model, serial, size, content."""
    identity = f"serial {disk.serial}" if disk.serial else f"WWN {disk.wwn}"
    model = disk.model or "disk"
    return f"{model}, {identity}, {disk.bytes / 1e9:.1f} GB ({disk.summary or 'unknown content'})"
