"""Fencing: a machine is confirmed off only when its switch was asked to switch it off, and then said that it is.

Whoever takes a disk or an export away from a machine rests on this: a machine that may still run may still write.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from appliance.power.driver import PowerDriver
from appliance.power_switch import PowerError, PowerState

SECONDS = 60.0
PAUSE = 1.0
LOOKS = 2
"""So often in a row, ``PAUSE`` seconds apart, off has to be seen."""

HOPELESS = frozenset({"power-refused", "power-certificate", "power-unsupported"})
"""What will not be better a second later."""


async def confirmed_off(
    driver: PowerDriver,
    seconds: float = SECONDS,
    now: Callable[[], float] = time.monotonic,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Returns only once the machine was told to be off, and then was seen to be and to stay so.

    Looked at twice: a controller that was in the middle of a cycle switches on again what it has just switched off.
    Tries again for ``seconds`` what has failed. Raises PowerError: ``power-unsupported`` where the switch cannot
    switch off or cannot look, ``power-still-on`` when off was not seen in time, or what the switch said last.
    """
    end = now() + seconds
    last: PowerError | None = None
    ordered, seen = False, 0
    while True:
        try:
            if not ordered:
                await driver.off()
                ordered = True
            off = await driver.observe() is PowerState.OFF
            ordered = ordered and (off or not seen)
            seen = seen + 1 if off else 0
            if seen == LOOKS:
                return
            last = None
        except PowerError as error:
            if error.code in HOPELESS:
                raise
            last, seen = error, 0
        if now() >= end:
            raise last or _still_on(seconds)
        await pause(PAUSE)


def _still_on(seconds: float) -> PowerError:
    text = f"the machine was told to switch off, and was not off {seconds:.0f} seconds later"
    return PowerError("power-still-on", text, "look at the machine and its controller, or unplug it")
