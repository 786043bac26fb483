"""Starting a unit of systemd's; where it fails, its own last words are in the error, not only that it failed."""

from contextlib import suppress
from typing import Literal

from appliance.errors import ApplianceError
from appliance.privileged.computer import Computer

LINES = 5
"""Of its journal; longer ones are cut."""
_LONGEST_LINE = 200


async def bring_up(on: Computer, how: Literal["start", "restart"], *units: str, seconds: float) -> None:
    """Start them, or start them anew, and wait. Raises ApplianceError as ``command.said`` does."""
    try:
        await on.run(["systemctl", how, *units], seconds)
    except ApplianceError as error:
        raise ApplianceError(error.code, await _with_last_words(on, units, error.message), error.hint) from error


async def _with_last_words(on: Computer, units: tuple[str, ...], text: str) -> str:
    """systemctl(1) itself names only the commands that would show them."""
    which = [f"--unit={each}" for each in units]
    argv = ["journalctl", "--boot", *which, f"--lines={LINES}", "--output=cat", "--no-pager", "--quiet"]
    said = ""
    with suppress(ApplianceError):  # what has happened is told without them as well
        said = await on.run(argv)
    lines = [line[:_LONGEST_LINE] for line in said.splitlines() if line.strip()]
    return "\n".join([text, *(["The journal says last:"] if lines else []), *lines])
