"""Step `restart`: reboot or power the machine off."""

from ..errors import StepFailed
from ..job import Job, Outcome


def restart(job: Job) -> Outcome:
    """Ready at once; done after the appliance knows."""
    action = job.params.text("action", "reboot")
    if action not in ("reboot", "poweroff"):
        raise StepFailed("bad-params", f"action {action!r} is neither reboot nor poweroff")
    return Outcome({}, f"{action} follows", afterwards=lambda: job.hardware.restart(action))
