"""How often a power switch is asked. Pure.

Controllers are slow small computers on a network of their own: they are asked seldom, never all at once, and those
that do not answer more and more seldom. A refused password is tried least of all: it may lock the account.
"""

import zlib
from dataclasses import replace

from appliance.power_known import Seen
from appliance.power_switch import PowerError, PowerState

LOOK_EVERY = 60.0
"""Seconds between two looks at a machine that rests, of which something may be wanted any time."""
LOOK_EVERY_AT_WORK = 15.0
"""The same while an attempt goes on."""
LARGE_FLEET = 500
"""Switches that are looked at that often; of more each is looked at more seldom, so that the traffic stays the same."""
LONGEST = 960.0
"""Seconds between two looks at a switch that does not answer."""
GIVEN_UP = 3
"""Failures in a row after which nothing is known any more of what the switch said before."""
WRITE_EVERY = 300.0
"""Seconds after which that nothing has changed is stored too."""
HOPELESS = frozenset({"power-refused", "power-certificate"})
"""Codes of what only a person can mend."""


def pause(seen: Seen, at_work: bool, switches: int, spread: float) -> float:
    """Seconds until the next look; ``spread`` (0 to 1) moves it about, so that they never come together."""
    if seen.code in HOPELESS:
        base = LONGEST
    elif seen.failures:
        base = min(LOOK_EVERY_AT_WORK * 2**seen.failures, LONGEST)
    else:
        base = LOOK_EVERY_AT_WORK if at_work else LOOK_EVERY * max(1.0, switches / LARGE_FLEET)
    return base * (0.85 + 0.3 * spread)


def spread(machine: str, now: float) -> float:
    """0 to 1, another for each machine, and another each time."""
    return zlib.crc32(f"{machine} {now:.0f}".encode()) / 0xFFFFFFFF


def answered(seen: Seen, state: PowerState, now: float) -> Seen:
    """What is known after the switch has said ``state``."""
    return Seen(state, seen.since if state is seen.state else now, now)


def unanswered(seen: Seen, error: PowerError) -> Seen:
    """What is known after it could not be asked: soon nothing, since the machine may have been switched since."""
    after = replace(seen, code=error.code, trouble=error.message, failures=seen.failures + 1)
    if after.failures < GIVEN_UP and error.code not in HOPELESS:
        return after
    return replace(after, state=PowerState.UNKNOWN, since=None)


def worth_storing(before: Seen, after: Seen) -> bool:
    """Whether anybody would miss it: that all is as it was is stored now and then only."""
    if (before.state, before.code, before.failures) != (after.state, after.code, after.failures):
        return True
    return after.at is not None and (before.at is None or after.at - before.at >= WRITE_EVERY)


def told(name: str, before: Seen, after: Seen) -> tuple[str, str] | None:
    """Text and reason of the event that a change is worth; None where it is worth none."""
    if after.state is not before.state and after.state is not PowerState.UNKNOWN:
        return f"{name} is {after.state}", "its power switch says so"
    if after.failures == GIVEN_UP or (after.code in HOPELESS and before.code != after.code):
        return f"the power switch of {name} cannot be asked", after.trouble
    if before.failures >= GIVEN_UP and not after.failures:
        return f"the power switch of {name} answers again", ""
    return None
