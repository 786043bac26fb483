"""Orders that were carried out before they were given: many controllers refuse to switch off what is off."""

from collections.abc import Awaitable, Callable

from appliance.power_switch import PowerError, PowerState


async def ordered(
    order: Callable[[], Awaitable[None]], observe: Callable[[], Awaitable[PowerState]], wanted: PowerState
) -> None:
    """Gives the order; a refusal counts for nothing where the machine is seen to be as it was wanted.

    Asked first and looked at second: what a controller said a moment ago may not be so any more.
    """
    try:
        await order()
    except PowerError as error:
        if error.code != "power-failed" or await observe() is not wanted:
            raise
