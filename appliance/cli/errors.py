"""What can go wrong between ``qrm`` and an appliance, and the exit code of each."""

from appliance.errors import ApplianceError

FAILED, WRONG_USAGE, UNREACHABLE, REFUSED = 1, 2, 3, 4


class Unreachable(ApplianceError):
    """No appliance answered there, or not one that we trust (exit code 3)."""


class Refused(ApplianceError):
    """The appliance said no (exit code 4)."""


def exit_code(error: ApplianceError) -> int:
    """The exit code that tells this error."""
    return {Unreachable: UNREACHABLE, Refused: REFUSED}.get(type(error), FAILED)
