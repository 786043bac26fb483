"""What switching a machine on or off would do, said before it is done, and why it cannot be. Pure."""

from dataclasses import dataclass

from appliance.deployment import Deployment
from appliance.errors import Conflict
from appliance.machine import BUSY, Machine, State
from appliance.power_known import Switch
from appliance.power_order import NEEDS, PowerAction, PowerOrder
from appliance.power_switch import PowerKind, PowerState, abilities
from appliance.reconcile.consequences import Consequences
from appliance.workflow import (
    CONFIGURE,
    DISCARD,
    GRANT,
    GROW,
    HAND_OVER,
    PREPARE,
    PROVIDE,
    REPORT_ACTIVE,
    REVOKE,
    SHUT_DOWN,
    WIPE_DISK,
    WRITE,
    Actor,
    Attempt,
)


@dataclass(frozen=True, slots=True)
class Known:
    """What decides about a power action on a machine."""

    machine: Machine
    deployment: Deployment | None
    """What is assigned to it."""
    live: Attempt | None
    """Its attempt that goes on."""
    switch: Switch | None
    order: PowerOrder | None
    """What its switch is at."""


_DEED = {
    PowerAction.ON: "be switched on",
    PowerAction.OFF: "be switched off and seen to be off",
    PowerAction.CYCLE: "be switched off and on",
    PowerAction.NETWORK_ONCE: "be told to start from the network",
    PowerAction.TEST: "be asked whether it is on",
}


def power_refusal(known: Known, action: PowerAction) -> Conflict | None:
    """Why it cannot be done now, None where it can."""
    name, switch = known.machine.name, known.switch
    if switch is None:
        hint = "have an administrator set one up: Power, on the page of the machine"
        return Conflict("power-none", f"{name} has no power switch", hint)
    if switch.settings.kind is PowerKind.MANUAL:
        return Conflict("power-none", f"{name} is switched by hand only", "press its power button")
    if not NEEDS[action] <= abilities(switch.settings.kind):
        text = f"{name} cannot {_DEED[action]} by {switch.settings.kind}"
        return Conflict("power-unsupported", text, "use its power button, or set up another kind of switch")
    if known.order is not None:
        text = f"its switch is at work already: {known.order.action} of {name}"
        return Conflict("power-busy", text, "wait until that has ended, or cancel it")
    return None


def power_consequences(known: Known, action: PowerAction) -> Consequences:
    """What it would do. What may lose something has to be confirmed with the machine's name."""
    name = known.machine.name
    if refusal := power_refusal(known, action):
        return Consequences(refused=f"{refusal.message}; {refusal.hint}", machine=name)
    if action is PowerAction.TEST:
        return Consequences(
            (f"The power switch of {name} is asked whether {name} is on. Nothing is changed.",), machine=name
        )
    if action is PowerAction.ON:
        return Consequences((f"{name} is switched on. A machine that is on stays as it is.",), machine=name)
    texts = _harmless(known)
    if texts is not None:
        return Consequences((*texts, _then(known, action)), machine=name)
    return Consequences((*_cut(known), _then(known, action)), name, machine=name)


def _harmless(known: Known) -> tuple[str, ...] | None:
    """Why nothing is lost; None where something may be."""
    machine = known.machine
    if _is_off(known.switch):
        return (f"{machine.name} was off when its switch was asked last: nothing that runs is lost.",)
    if machine.state in (State.IDLE, State.STOPPED) and known.live is None:
        return (f"{machine.name} is {machine.state}: it waits in the maintenance stack, and nothing on it is lost.",)
    return None


def _is_off(switch: Switch | None) -> bool:
    return switch is not None and switch.seen.state is PowerState.OFF


def _then(known: Known, action: PowerAction) -> str:
    name = known.machine.name
    if action is PowerAction.OFF:
        return f"{name} stays off until it is switched on, or something is begun on it that needs it."
    if action is PowerAction.CYCLE:
        return f"As soon as {name} is seen to be off it is switched on again."
    return f"As soon as {name} is seen to be off it is switched on again, and starts from the network this once."


_AT_WORK = {
    SHUT_DOWN: "Its system is shutting down in good order; what it has not written yet is lost.",
    PREPARE: "The disk is being cleared: it is left cleared in part. What was on it is lost.",
    WRITE: "The image is being written: the disk is left half written, and cannot boot.",
    GROW: "The disk is being prepared: it is left without its identity, and cannot be used as it is.",
    CONFIGURE: "The system is being prepared: it is left without its identity, and cannot be used as it is.",
    HAND_OVER: "The new system is about to start; it starts at the next boot.",
    REPORT_ACTIVE: "Its system is starting; what it has not written yet is lost.",
    WIPE_DISK: "The disk is being wiped: it is left wiped in part.",
    **dict.fromkeys((PROVIDE, GRANT, REVOKE, DISCARD), "The appliance goes on with this by itself; nothing is lost."),
}


def _cut(known: Known) -> tuple[str, ...]:
    """Exactly what is lost when the power goes now."""
    machine, on = known.machine, known.deployment
    if known.live is not None and machine.state in BUSY:
        return _attempt_cut(known, known.live)
    if machine.state in (State.ACTIVE, State.BROKEN, State.FAILED) and on is not None:
        return (
            f"{on.name} may run on {machine.name}. Its power is cut without shutting it down: what it has not written "
            f"to its disk is lost, and everybody who uses it is cut off.",
            f"To shut it down in good order, stop {on.name} instead.",
        )
    if machine.state is State.RESCUE:
        return (f"{machine.name} is in rescue: whoever is logged in is cut off, and what they have not saved is lost.",)
    return (f"What runs on {machine.name} is not known. Its power is cut without asking it.",)


def _attempt_cut(known: Known, attempt: Attempt) -> tuple[str, ...]:
    step = attempt.step
    what = f"{known.machine.name} is {known.machine.state}" + (f" ({step.label})" if step else "")
    lost = _AT_WORK.get(step.name) if step and (attempt.obeyed or step.actor is not Actor.AGENT) else None
    whose = f" of {known.deployment.name}" if known.deployment else ""
    then = f"The {attempt.kind}{whose} goes on if a start of the machine leads to it, and fails otherwise."
    return (f"{what}.", lost or "Nothing of this step was done yet.", then)
