"""Orders to a power switch: what is to be done, how far it is, and what comes next. Pure.

An order is stored before each command that it sends. Its commands name a state (off, on), never a change: one that is
sent again after a crash, since nobody knows whether it arrived, finds the machine there already. And none is sent
before the switch was asked what is so.

This is also how a machine is fenced, and nothing else is: an order for off that has ended well says that the machine
was told to be off, and then was seen to be off twice.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NewType

from appliance.errors import Invalid
from appliance.machine import MachineId
from appliance.power_switch import Ability, PowerState
from appliance.task import TaskId
from appliance.workflow import AttemptId, DeploymentId

OrderId = NewType("OrderId", int)


class PowerAction(StrEnum):
    """What can be asked of a switch."""

    ON = "on"
    OFF = "off"
    """At once, without asking the system that runs."""
    CYCLE = "cycle"
    """Off, seen to be off, and on again."""
    NETWORK_ONCE = "network-once"
    """Off, and on again into a start from the network, whatever firmware tries first."""
    TEST = "test"
    """Only look: whether the switch can be reached and what it says."""


class Stage(StrEnum):
    """One part of an order."""

    LOOK = "look"
    OFF = "off"
    ON = "on"


STAGES: dict[PowerAction, tuple[Stage, ...]] = {
    PowerAction.ON: (Stage.ON,),
    PowerAction.OFF: (Stage.OFF,),
    PowerAction.CYCLE: (Stage.OFF, Stage.ON),
    PowerAction.NETWORK_ONCE: (Stage.OFF, Stage.ON),
    PowerAction.TEST: (Stage.LOOK,),
}
NEEDS: dict[PowerAction, frozenset[Ability]] = {
    PowerAction.ON: frozenset({Ability.ON}),
    PowerAction.OFF: frozenset({Ability.OFF, Ability.OBSERVE}),
    PowerAction.CYCLE: frozenset({Ability.OFF, Ability.ON, Ability.OBSERVE}),
    PowerAction.NETWORK_ONCE: frozenset({Ability.OFF, Ability.ON, Ability.OBSERVE, Ability.NETWORK_ONCE}),
    PowerAction.TEST: frozenset({Ability.OBSERVE}),
}
"""What a switch must be able to do for each. Off without seeing it would be believed, and not known."""
TITLES: dict[PowerAction, str] = {
    PowerAction.ON: "Switch {} on",
    PowerAction.OFF: "Switch {} off",
    PowerAction.CYCLE: "Switch {} off and on again",
    PowerAction.NETWORK_ONCE: "Restart {} from the network",
    PowerAction.TEST: "Test the power switch of {}",
}
CUTS = frozenset({PowerAction.OFF, PowerAction.CYCLE, PowerAction.NETWORK_ONCE})
"""What takes the power away from whatever runs."""

STAGE_SECONDS = 180.0
"""How long one stage may take from its first command on; controllers are slow, and lose commands."""
AGAIN_SECONDS = 30.0
"""How long after a command it is sent once more, where nothing has come of it."""
ARM_SECONDS = 60.0
"""How long a start from the network is waited for that the switch does not take; then it is a plain one."""
LOOK_SECONDS = 2.0
"""Between two looks at what a command has brought."""


def parse_action(word: str) -> PowerAction:
    """The action of that name; raises Invalid for any other word."""
    try:
        return PowerAction(word)
    except ValueError:
        hint = f"use one of {', '.join(PowerAction)}"
        raise Invalid("power-action-unknown", f"{word[:40]!r} is no action of a power switch", hint, "action") from None


@dataclass(frozen=True, slots=True)
class PowerOrder:
    """One order to the switch of one machine. Times are Unix time."""

    id: OrderId
    machine: MachineId
    action: PowerAction
    created: float
    stage_started: float
    by: str = ""
    """Who asked for it; empty: an attempt needs it."""
    network: bool = False
    """Whether the start is to be from the network."""
    index: int = 0
    sent: int = 0
    """How often the command of the present stage was sent, stored before it is."""
    sent_at: float = 0.0
    taken: bool = False
    """Whether the switch took it, as far as we know."""
    unlike: str = ""
    """What is unlike what was wanted of the start: why it is not from the network, or who else switched on."""
    plain: bool = False
    """Whether it is switched on although its start from the network could not be armed."""
    again: bool = False
    """Whether its power is taken away a second time, since it came on by itself."""
    task: TaskId | None = None
    """The task that does it; None: the power loop does, for ``attempt``."""
    attempt: AttemptId | None = None
    step: str = ""
    """The step of the attempt that needs it."""
    releases: DeploymentId | None = None
    """What is taken off the machine, which is broken, once it is confirmed to be off."""
    ended: float | None = None
    code: str = ""
    reason: str = ""
    """Why it failed; both are empty where it did not."""

    @property
    def stage(self) -> Stage | None:
        """The present stage; None once the order has ended."""
        stages = STAGES[self.action]
        return stages[self.index] if self.ended is None and self.index < len(stages) else None

    @property
    def away(self) -> bool:
        """Whether power was, or may have been, taken away that is to come back."""
        return Stage.ON in STAGES[self.action][1:] and bool(self.index or self.sent)


class Next(StrEnum):
    """What comes next of an order."""

    SEND = "send"
    WAIT = "wait"
    PASS = "pass"  # noqa: S105 - no password
    AGAIN = "again"
    """From its first stage on."""
    FAIL = "fail"


_REACHED = {Stage.OFF: PowerState.OFF, Stage.ON: PowerState.ON}


def next_of(order: PowerOrder, seen: PowerState, observes: bool, now: float) -> Next:
    """What to do, where the switch says ``seen``; ``observes``: whether it can say anything at all.

    A stage passes only when it is seen to have come true; where nothing can be seen, once its command was taken. Off
    takes both: what is off without having been told to be may be in the middle of somebody else's cycle.
    """
    if order.stage is Stage.LOOK:
        return Next.PASS if seen is not PowerState.UNKNOWN else _in_time(order, now)
    if came_on_by_itself(order, seen) and order.action is PowerAction.NETWORK_ONCE:
        return Next.FAIL if order.again else Next.AGAIN
    if _has_come_true(order, seen, observes):
        return Next.PASS
    if not order.taken:
        return Next.SEND
    if _in_time(order, now) is Next.FAIL:
        return Next.FAIL
    return Next.SEND if now - order.sent_at >= AGAIN_SECONDS else Next.WAIT


def _has_come_true(order: PowerOrder, seen: PowerState, observes: bool) -> bool:
    if not observes or order.stage is None:
        return order.taken
    return seen is _REACHED[order.stage] and (order.taken or order.stage is not Stage.OFF)


def came_on_by_itself(order: PowerOrder, seen: PowerState) -> bool:
    """On before it was told to be, since its power was taken: as firmware that restores power does it, or a person.

    Where a command was sent of which nobody knows whether it arrived, it counts as ours; but while a start from the
    network cannot be armed none is sent, until that is had plainly.
    """
    told = order.sent and (order.taken or order.plain or not order.unlike)
    return order.stage is Stage.ON and order.index > 0 and seen is PowerState.ON and not told


def may_start_plainly(order: PowerOrder, worth_repeating: bool, now: float) -> bool:
    """Whether a start that cannot be armed is had without: a machine that was switched off is to come back.

    Firmware that tries the network first gets there anyway; only who asked for just that has it tried for a while.
    """
    insists = order.action is PowerAction.NETWORK_ONCE and worth_repeating
    return not insists or now - order.stage_started >= ARM_SECONDS


def _in_time(order: PowerOrder, now: float) -> Next:
    return Next.FAIL if now - order.stage_started >= STAGE_SECONDS else Next.WAIT


def sent(order: PowerOrder, now: float) -> PowerOrder:
    """The order, about to send the command of its stage. The first time its clock starts: it may have had to wait."""
    started = order.stage_started if order.sent else now
    return replace(order, sent=order.sent + 1, sent_at=now, taken=False, stage_started=started, unlike="", plain=False)


def taken(order: PowerOrder) -> PowerOrder:
    """The order, whose command the switch has taken."""
    return replace(order, taken=True)


def passed(order: PowerOrder, now: float) -> PowerOrder:
    """The order in its next stage, or done."""
    after = replace(order, index=order.index + 1, sent=0, sent_at=0.0, taken=False, stage_started=now)
    if after.index < len(STAGES[order.action]):
        return after
    if after.unlike and order.action is PowerAction.NETWORK_ONCE:
        return failed(after, _NOT_SO, f"it is on again, but not from the network: {after.unlike}", now)
    return replace(after, ended=now)


_NOT_SO = "power-not-from-network"
BY_ITSELF = "it came on by itself before it was told to"


def once_more(order: PowerOrder, now: float) -> PowerOrder:
    """The order from its first stage on, a second time."""
    return replace(
        order, index=0, sent=0, sent_at=0.0, taken=False, stage_started=now, unlike="", plain=False, again=True
    )


def given_up(order: PowerOrder, seen: PowerState, now: float) -> PowerOrder:
    """The order, whose stage is not reached, ended."""
    if came_on_by_itself(order, seen):
        why = f"{BY_ITSELF}, twice; have its firmware stay off until it is told to"
        return failed(order, _NOT_SO, f"it is on again, but not from the network: {why}", now)
    code = "power-still-on" if order.stage is Stage.OFF else "power-failed"
    return failed(order, code, left_off(order, not_reached(order, seen)), now)


def left_off(order: PowerOrder, why: str) -> str:
    """Why it ends early, with what is to be done about power that it took away."""
    if not order.away:
        return why
    if order.index == 0:
        return f"{why}; it was told to go off, and may do so still"
    return f"{why}; its power was taken away, and not given back: switch it on by hand"


def failed(order: PowerOrder, code: str, reason: str, now: float) -> PowerOrder:
    """The order, ended badly; one that has ended stays as it is."""
    return order if order.ended is not None else replace(order, ended=now, code=code, reason=reason)


def resumed(order: PowerOrder, now: float) -> PowerOrder:
    """The order after a restart of ours: its clock starts again.

    Nobody knows whether what was sent arrived: where it has not come true by now it is sent again at once.
    """
    return replace(order, stage_started=now, sent_at=0.0)


def not_reached(order: PowerOrder, seen: PowerState) -> str:
    """Why a stage was given up, in words."""
    if order.stage is Stage.LOOK or seen is PowerState.UNKNOWN:
        return f"its switch did not say for {STAGE_SECONDS:.0f} seconds whether it is on"
    wanted = _REACHED[order.stage] if order.stage else PowerState.UNKNOWN
    told = f"its switch was told {order.sent} times"
    return f"it is still {seen} {STAGE_SECONDS:.0f} seconds after it was to be {wanted}; {told}"
