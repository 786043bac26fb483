"""Step `restart`: out of a rescue, into a fresh boot. Somebody else was root here: nothing here can be trusted."""

from ..job import Job, Outcome
from ..screen import clean

MOST_MOUNTS = 32


def restart(job: Job) -> Outcome:
    """Restart once the appliance knows; what users left mounted is told, written out and taken away first."""
    mounted = [clean(place) for place in job.hardware.mounted()[:MOST_MOUNTS]]
    return Outcome({"mounted": mounted}, "the machine restarts", afterwards=job.hardware.leave_rescue)
