"""Set-up as the console, the API and ``qrm`` see it: there only on a flashed appliance that was not set up yet."""

from dataclasses import dataclass

from appliance.setup.conduct import Conduct
from appliance.setup.steps import SetUpSteps


@dataclass(frozen=True, slots=True)
class FirstStart:
    """The questions, and what carries the answers out."""

    steps: SetUpSteps
    conduct: Conduct
