"""What an action on a deployment would do, said before it is done, and what cannot be done to a machine. Pure."""

from dataclasses import dataclass, replace
from enum import StrEnum

from appliance.delivery import on_disk, on_volume
from appliance.deployment import Deployment, DiskIdentity, Wanted
from appliance.errors import Conflict
from appliance.machine import BUSY, TRANSITIONS, Machine, State, in_rescue
from appliance.root_volume import RootVolume
from appliance.workflow import Attempt


class Action(StrEnum):
    """What a user can ask of a deployment."""

    START = "start"
    STOP = "stop"
    RELEASE = "release"
    REDEPLOY = "redeploy"
    RETRY = "retry"

    @property
    def label(self) -> str:
        """As a title begins."""
        return "Re-deploy" if self is Action.REDEPLOY else self.value.capitalize()


class MachineAction(StrEnum):
    """What a user can do to a machine that is not always possible."""

    BREAK = "break"
    """Call it broken."""
    DELETE = "delete"
    RESCUE = "rescue"
    """Into the maintenance stack, disks untouched, SSH open to the user's keys."""
    END_RESCUE = "end-rescue"
    ADMIT = "admit"
    """Let it in to its root on the network, after it has restarted by itself."""
    POWER_ON = "power-on"
    POWER_OFF = "power-off"
    POWER_CYCLE = "power-cycle"
    POWER_NETWORK_ONCE = "power-network-once"
    """Those of a power switch; ``power_actions`` knows what they do."""


@dataclass(frozen=True, slots=True)
class Consequences:
    """What an action would do, worked out once: whoever shows it works out nothing more."""

    texts: tuple[str, ...] = ()
    """Sentences for people."""
    confirm: str | None = None
    """What must be typed; None: nothing."""
    refused: str = ""
    """Why it cannot be done; empty: it can."""
    machine: str = ""
    """Name of the machine that it is done to; empty for none."""
    disk: DiskIdentity | None = None
    """The disk that it overwrites or wipes, with what is on it now as its summary; None for none."""
    destroys: bool = False
    """Whether something on that disk is lost."""
    content: str = ""
    """Fingerprint of what is on the disk that is overwritten: it comes back with the confirmation."""


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
    deployment: Deployment,
    machine: Machine | None,
    action: Action,
    choice: tuple[Machine, DiskIdentity | None] | None = None,
    root: RootVolume | None = None,
) -> Consequences:
    """``machine`` is the one it is on; ``choice`` what a start would take that has yet to find one; ``root`` the volume
    that it has its system on."""
    refusal = _refusal(deployment, machine, action)
    if refusal:
        return Consequences(refused=refusal)
    if machine is None:
        assert choice is not None
        return _taking(deployment, *choice)
    match action:
        case Action.START if not deployment.current:
            # Its deploy failed, and a rescue has followed.
            return _ending(deployment, machine, Action.REDEPLOY, root)
        case Action.RETRY if machine.failed_from is State.DEPLOYING and deployment.current:
            # All of it was written, and its system may have run ever since without a report.
            return _ending(deployment, machine, Action.REDEPLOY, root)
        case Action.START:
            text = f"{deployment.name} boots again{_with_what(deployment)}."
        case Action.STOP:
            text = f"{deployment.name} is shut down; {_kept(deployment)}."
        case Action.RETRY:
            text = f"What failed is tried again: {machine.failed_from} {deployment.name}."
        case Action.REDEPLOY | Action.RELEASE:
            return _ending(deployment, machine, action, root)
    return Consequences((text,), machine=machine.name)


def writes(deployment: Deployment, machine: Machine | None, action: Action) -> bool:
    """Whether the image is written to the disk that a deployment has already."""
    if machine is None or action in (Action.STOP, Action.RELEASE):
        return False
    failed = action is Action.RETRY and machine.failed_from is State.DEPLOYING
    return action is Action.REDEPLOY or failed or (action is Action.START and not deployment.current)


def _refusal(deployment: Deployment, machine: Machine | None, action: Action) -> str:
    if machine is None:
        return "" if action is Action.START else f"{deployment.name} is on no machine"
    if machine.state in BUSY:
        return f"{machine.name} is {machine.state}; wait until that has ended"
    if in_rescue(machine):
        return f"{machine.name} is in rescue, or its rescue has failed; end the rescue first"
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


def _kept(deployment: Deployment) -> str:
    """What a stop leaves."""
    if on_disk(deployment.delivery):
        return "its machine and disk stay reserved"
    if on_volume(deployment.delivery):
        return "its machine stays reserved, and its root volume stays as it is, exported to nobody"
    return "its machine stays reserved, and what it wrote, which is in memory, is lost"


def _with_what(deployment: Deployment) -> str:
    """What a start finds again."""
    if on_disk(deployment.delivery):
        return " from its disk, with its data"
    if on_volume(deployment.delivery):
        return " from its root volume, with its data"
    return " from its image, in memory; nothing is there of what it wrote before"


def _taking(deployment: Deployment, machine: Machine, disk: DiskIdentity | None) -> Consequences:
    if disk is not None:
        return _overwriting(machine, disk)
    where = "a root volume of the appliance, which is made anew" if on_volume(deployment.delivery) else "its memory"
    text = f"{machine.name} runs {deployment.name} from {where}; its disks are not touched."
    return Consequences((text,), machine=machine.name)


def _overwriting(machine: Machine, disk: DiskIdentity) -> Consequences:
    text = f"Everything on {describe(disk)} is overwritten."
    if disk.empty:
        return Consequences((text,), machine=machine.name, disk=disk)
    word = disk.serial or disk.wwn
    return Consequences((text,), word, machine=machine.name, disk=disk, destroys=True, content=disk.content)


def _ending(deployment: Deployment, machine: Machine, action: Action, root: RootVolume | None) -> Consequences:
    """What its deployment holds now comes to an end, on the disk or only for the appliance."""
    if on_volume(deployment.delivery):
        return _ending_on_volume(deployment, machine, action, root)
    if not on_disk(deployment.delivery):
        return _ending_in_memory(deployment, machine, action)
    disk = _held(deployment)
    on = describe(disk) if disk else "its disk"
    destroys = False
    if machine.state is State.BROKEN:
        text = f"{deployment.name} is taken off {machine.name}, which is broken; what is on {on} stays as it is."
    elif action is Action.REDEPLOY:
        destroys = True
        text = f"The image is written anew: everything of {deployment.name} on {on} in {machine.name} is lost."
    elif deployment.wipes:
        destroys = True
        text = f"{deployment.name} is shut down and {on} in {machine.name} is wiped: everything on it is lost."
    else:
        text = f"{deployment.name} is shut down and {machine.name} goes back to the fleet; what is on {on} stays there."
    lost = disk if destroys else None
    return Consequences((text,), deployment.name, machine=machine.name, disk=lost, destroys=destroys)


def _ending_on_volume(
    deployment: Deployment, machine: Machine, action: Action, root: RootVolume | None
) -> Consequences:
    name = deployment.name
    lost = "it has no root volume yet"
    if root is not None:
        lost = f"its root volume {root.described}, is deleted: everything on it is lost"
    if machine.state is State.BROKEN:
        text = f"{name} is taken off {machine.name}, which is broken; {lost}."
    elif action is Action.REDEPLOY:
        text = f"{name} starts anew on {machine.name} from its image, as another computer; {lost}."
    else:
        text = f"{name} is shut down and {machine.name} goes back to the fleet; {lost}."
    return Consequences((text,), name, machine=machine.name, destroys=root is not None)


def _ending_in_memory(deployment: Deployment, machine: Machine, action: Action) -> Consequences:
    name, lost = deployment.name, "what it wrote, which is in memory, is lost"
    if machine.state is State.BROKEN:
        text = f"{name} is taken off {machine.name}, which is broken."
    elif action is Action.REDEPLOY:
        text = f"{name} starts anew on {machine.name} from its image, as another computer: {lost}."
    else:
        text = f"{name} is shut down and {machine.name} goes back to the fleet; {lost}."
    return Consequences((text,), name, machine=machine.name, destroys=machine.state is not State.BROKEN)


def _held(deployment: Deployment) -> DiskIdentity | None:
    """The deployment's disk with what is on it now: once it was written, that is no longer what was found there."""
    disk = deployment.disk
    if disk is None or not disk.owned:
        return disk
    return replace(disk, summary=f"system and data of {deployment.name}")


def machine_refusal(
    machine: Machine,
    deployment: Deployment | None,
    live: Attempt | None,
    action: MachineAction,
    asks: float | None = None,
) -> Conflict | None:
    """Why it cannot be done to the machine now, None where it can.

    ``deployment`` is what is assigned to it, ``live`` its attempt that goes on, ``asks`` the Unix time at which the
    boot began that waits to be let in, None where none does.
    """
    if action is MachineAction.ADMIT:
        return _admit_refusal(machine, deployment, asks)
    wait = "wait until that has ended"
    if action is MachineAction.DELETE and deployment is not None:
        message = f"{machine.name} is assigned to {deployment.name}"
        return Conflict("machine-used", message, f"release {deployment.name} first")
    if machine.state in BUSY or live is not None:
        return Conflict("machine-busy", f"{machine.name} is {machine.state}", wait)
    if action is MachineAction.BREAK and State.BROKEN not in TRANSITIONS[machine.state]:
        return Conflict("state-forbids", f"{machine.name} is {machine.state} and cannot be called broken", wait)
    if action is MachineAction.RESCUE:
        return _rescue_refusal(machine, deployment)
    if action is MachineAction.END_RESCUE and not in_rescue(machine):
        return Conflict("rescue-none", f"{machine.name} is not in rescue", "rescue it first")
    return None


def _admit_refusal(machine: Machine, deployment: Deployment | None, asks: float | None) -> Conflict | None:
    if asks is not None and deployment is not None:
        return None
    hint = "one waits that restarted by itself, whose root comes over the network, and that is on"
    return Conflict("root-not-asked", f"{machine.name} does not ask to be let in", hint)


def _rescue_refusal(machine: Machine, deployment: Deployment | None) -> Conflict | None:
    if machine.rescue is not None:
        return Conflict("rescue-already", f"{machine.name} is in rescue already", "end it first, for other keys")
    if machine.state is State.BROKEN:
        return Conflict("state-forbids", f"{machine.name} is broken", "say that it is mended first")
    if deployment is not None and deployment.wanted is Wanted.RELEASED:
        message = f"{deployment.name} is being released from {machine.name}"
        return Conflict("machine-busy", message, "wait until that has ended, or retry it where it failed")
    return None


def describe(disk: DiskIdentity) -> str:
    """A disk in words: model, serial, size, content."""
    identity = f"serial {disk.serial}" if disk.serial else f"WWN {disk.wwn}"
    model = disk.model or "disk"
    return f"{model}, {identity}, {disk.bytes / 1e9:.1f} GB ({disk.summary or 'unknown content'})"
