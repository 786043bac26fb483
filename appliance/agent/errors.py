"""What can go wrong, by what is done about it (pure).

`waits` is the number of the code on the screen; the appliance says what each means (`screencode.Waits`).
"""

NETWORK, APPLIANCE, TRUST, REFUSED, TROUBLE, WORK, STEP = 40, 41, 42, 43, 44, 60, 61


class AgentError(Exception):
    """Something failed that a person at the screen should read; it is shown and tried again.

    `todo` says what that person can do, "" when nothing but waiting helps.
    """

    waits = TROUBLE

    def __init__(self, message: str, todo: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.todo = todo


class NoNetwork(AgentError):
    """There is no link, or no address."""

    waits = NETWORK


class StepFailed(AgentError):
    """A step cannot be done; `code` and `message` go to the appliance, the step ends as failed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Abandoned(Exception):
    """The appliance no longer wants this step: another attempt has taken over, or it was cancelled."""


class Leaving(Exception):
    """The machine is about to restart, power off or enter another kernel; the agent ends."""
