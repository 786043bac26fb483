"""What only a flashed appliance has, asked of the API: an error that says so for any other computer."""

from typing import Any

from appliance.cli.client import Api
from appliance.errors import ApplianceError


def known(connected: Api, path: str, elsewhere: str) -> dict[str, Any]:
    """The answer of ``path``, one with ``here`` and ``trouble`` in it.

    Raises ApplianceError ``helper-missing``, with ``elsewhere`` on who cares for that on other computers, and
    ``helper-trouble`` where the appliance cannot tell.
    """
    found: dict[str, Any] = connected.get(path)
    if not found["here"]:
        raise ApplianceError("helper-missing", "this computer is not a flashed appliance", elsewhere)
    if found["trouble"]:
        raise ApplianceError("helper-trouble", found["trouble"], "look at: qrm health")
    return found
