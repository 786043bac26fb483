"""What an action on a machine would do, said before it is done. Pure."""

from datetime import UTC, datetime

from appliance.delivery import in_memory, on_volume
from appliance.deployment import Deployment
from appliance.machine import Machine, State
from appliance.reconcile.consequences import Consequences, MachineAction, machine_refusal
from appliance.workflow import Attempt


def machine_consequences(
    machine: Machine,
    deployment: Deployment | None,
    live: Attempt | None,
    action: MachineAction,
    asks: float | None = None,
) -> Consequences:
    """``deployment`` is what is assigned to it, ``live`` its attempt that goes on, ``asks`` the Unix time at which the
    boot began that waits to be let in. Nothing on a disk is ever lost.
    """
    refusal = machine_refusal(machine, deployment, live, action, asks)
    if refusal is not None:
        return Consequences(refused=f"{refusal.message}; {refusal.hint}", machine=machine.name)
    confirm, texts = None, tuple[str, ...]()
    match action:
        case MachineAction.BREAK:
            texts = _break(machine, deployment)
        case MachineAction.DELETE:
            texts = (f"{machine.name} is forgotten with its inventory; it appears again, as new, when it next boots.",)
            confirm = machine.name
        case MachineAction.RESCUE:
            texts = _rescue(machine, deployment)
        case MachineAction.END_RESCUE:
            texts = _end_rescue(machine, deployment)
        case MachineAction.ADMIT:
            assert deployment is not None, "only who has a deployment asks"
            assert asks is not None, "the others are refused"
            texts = _admit(machine, deployment, asks)
    return Consequences(texts, confirm, machine=machine.name)


def _break(machine: Machine, deployment: Deployment | None) -> tuple[str, ...]:
    never = f"{machine.name} is never chosen for anything until somebody says that it is mended."
    if deployment is None:
        return (never,)
    if deployment.installed is None:
        left = (
            "what there is of its root volume is deleted"
            if on_volume(deployment.delivery)
            else "what is on its disk stays as it is"
        )
        return never, f"{deployment.name} is taken off it; {left}."
    name = deployment.name
    return never, f"{name} is wanted stopped from then on; once the machine is mended, start {name} again."


def _rescue(machine: Machine, deployment: Deployment | None) -> tuple[str, ...]:
    texts = [f"{machine.name} boots the maintenance stack with SSH open to these keys. Its disks are not touched."]
    if deployment is not None and machine.state in (State.ACTIVE, State.FAILED):
        texts.insert(0, f"{deployment.name} is shut down if it runs.")
    if deployment is not None:
        texts.append(f"{deployment.name} is stopped then, and can be started again once the rescue has ended.")
    if deployment is not None and in_memory(deployment.delivery):
        texts.append("It runs from memory: what it wrote is lost.")
    if deployment is not None and on_volume(deployment.delivery):
        texts.append("Its root volume is kept, and exported to nobody meanwhile.")
    return tuple(texts)


def _end_rescue(machine: Machine, deployment: Deployment | None) -> tuple[str, ...]:
    then = f"{deployment.name} stays stopped." if deployment else "The machine is idle then."
    return (f"Everybody is logged out: {machine.name} restarts into a fresh maintenance stack.", then)


def _admit(machine: Machine, deployment: Deployment, asks: float) -> tuple[str, ...]:
    """Who asks is known by its address only: whoever lets it in should know that it was the machine."""
    since, name = datetime.fromtimestamp(asks, UTC), deployment.name
    place = f" from {machine.address}" if machine.address else ""
    return (
        f"{machine.name} gets the root of {name}, with its keys and secrets, and starts it.",
        f"Nobody had asked for this start: the machine began it by itself on {since:%Y-%m-%d at %H:%M} UTC, and asks"
        f"{place}. It is known by its network address only; let it in if you know why it restarted.",
    )
