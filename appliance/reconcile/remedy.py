"""What the power switch of a machine can do for the attempt that goes on, and when. Pure.

The rules are those of ``advice``, which tells the same to a person where there is no switch: who is to go down is asked
first, and given time; what is off is switched on, into the network, which is where all our boots begin; what hangs is
switched off and on. Nothing is done where a restart would cost something that time may still mend.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.power_order import CUTS, NEEDS, PowerAction, PowerOrder
from appliance.power_switch import Ability, PowerState
from appliance.workflow import (
    HAND_OVER,
    OPEN_SSH,
    REPORT_ACTIVE,
    RESTART,
    RETURN,
    SHUT_DOWN,
    Actor,
    Attempt,
    Kind,
    Status,
    by_kexec,
)

SHUT_DOWN_SECONDS = 300.0
"""How long a system that is to shut down may be silent before its power is taken away."""
BOOT_SECONDS = 720.0
"""How long a machine that is on may be silent in any other step. A POST of ten minutes is normal."""
START_AGAIN_SECONDS = 180.0
"""How long after it was switched on a machine is switched on once more, where it is off all the same."""
MOST_STARTS, MOST_CUTS = 3, 1
"""How often, in one step, a machine is switched on, or off and on: what does not help is left to a person."""


@dataclass(frozen=True, slots=True)
class Power:
    """What is known of a machine's switch."""

    abilities: frozenset[Ability]
    state: PowerState = PowerState.UNKNOWN
    held_off: float = 0.0
    """Unix time when a user last switched it off, and not on again since; 0: not so."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What is to be done, from ``at`` (Unix time) on."""

    action: PowerAction
    at: float


def remedy(attempt: Attempt, power: Power, offline: bool, done: Sequence[PowerOrder]) -> Remedy | None:
    """What helps the attempt, None where nothing does.

    ``offline``: the machine was silent for longer than it should be. ``done`` are the orders that the attempt had.
    """
    if attempt.status is not Status.LIVE or attempt.step is None or power.held_off > attempt.started:
        return None
    if power.state is PowerState.OFF or (power.state is PowerState.UNKNOWN and offline):
        found = _start(attempt, power)
    else:
        found = _cut(attempt, power) if power.state is PowerState.ON else None
    return _bounded(attempt, found, done)


def _start(attempt: Attempt, power: Power) -> Remedy | None:
    """It has no power, or nobody knows and nothing is heard of it: to switch on what is on changes nothing."""
    able = NEEDS[PowerAction.ON] <= power.abilities
    return Remedy(PowerAction.ON, attempt.step_started) if able and _may_boot(attempt) else None


def _may_boot(attempt: Attempt) -> bool:
    """Whether a boot leads the attempt on; where an agent has its step already, it would end it."""
    step = attempt.step.name if attempt.step else ""
    if step in (SHUT_DOWN, RETURN, REPORT_ACTIVE, OPEN_SSH, RESTART):
        return True
    return attempt.armed or (step == HAND_OVER and (attempt.kind is Kind.START or attempt.obeyed))


def _cut(attempt: Attempt, power: Power) -> Remedy | None:
    """It has power, and may hang."""
    if not NEEDS[PowerAction.CYCLE] <= power.abilities or not _may_boot(attempt) or _may_be_at_work(attempt):
        return None
    step = attempt.step.name if attempt.step else ""
    patience = SHUT_DOWN_SECONDS if step == SHUT_DOWN else BOOT_SECONDS
    return Remedy(PowerAction.CYCLE, attempt.step_seen + patience)


def _may_be_at_work(attempt: Attempt) -> bool:
    """A system that starts may check its disks for an hour; only one that was just written has nothing to lose."""
    if attempt.step is not None and attempt.step.actor is Actor.APPLIANCE:
        return True  # its agent waits, and is not asked for anything
    if attempt.step is None or attempt.step.name != REPORT_ACTIVE:
        return False
    return not (attempt.kind is Kind.DEPLOY and by_kexec(attempt) and attempt.boots == 0)


def _bounded(attempt: Attempt, found: Remedy | None, done: Sequence[PowerOrder]) -> Remedy | None:
    """Not more often than it makes sense, and not before the last one had its time."""
    if found is None or attempt.step is None:
        return None
    here = [each for each in done if each.step == attempt.step.name]
    cuts = sum(each.action in CUTS for each in here)
    if (cuts >= MOST_CUTS) if found.action in CUTS else (len(here) - cuts >= MOST_STARTS):
        return None
    last = max((each.ended or each.created for each in here), default=None)
    if last is None:
        return found
    pause = BOOT_SECONDS if found.action in CUTS else START_AGAIN_SECONDS
    return Remedy(found.action, max(found.at, last + pause))
