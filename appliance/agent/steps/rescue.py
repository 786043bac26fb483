"""Step `rescue`: SSH into the maintenance stack, for a user.

Nothing is assembled, opened or mounted here: what happens to the disks is the user's doing.
"""

from ..errors import StepFailed
from ..job import Job, Outcome
from ..ssh_server import authorized


def rescue(job: Job) -> Outcome:
    """Start the SSH server with exactly the given keys; a server that an earlier try left is replaced.

    Raises StepFailed `bad-params` for keys that are none, `rescue-failed` where it does not start.
    """
    keys = authorized(job.params.texts("ssh_keys"))
    host_keys = job.hardware.open_ssh(keys)
    if not host_keys:
        raise StepFailed("rescue-failed", "the SSH server has no host key")
    return Outcome({"host_keys": host_keys}, "SSH is open")
