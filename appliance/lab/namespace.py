"""Entering a world of one's own: network, mounts and processes that end with the lab.

The lab's inside is the first process of a pid namespace, so the kernel kills everything in it when that process
ends (pid_namespaces(7)); and that process is killed when the one outside ends, however it ended (prctl(2),
PR_SET_PDEATHSIG). Nothing has to be cleaned up by hand but files.
"""

from collections.abc import Sequence


def unshare_argv(argv: Sequence[str], *, root: bool) -> list[str]:
    """``argv`` as the first process of new namespaces; who is not root gets a user namespace around them.  Pure.

    The process started is ``unshare`` itself, and it stands in the new network namespace too: its process id is
    the door for ``enter_argv``.
    """
    user = [] if root else ["--user", "--map-root-user"]
    return [
        *("setpriv", "--pdeathsig", "KILL", "unshare"),
        *user,
        *("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"),
        *argv,
    ]


def enter_argv(door: int, argv: Sequence[str], *, root: bool) -> list[str]:
    """``argv`` run in the lab's network whose door is process ``door``.  Pure."""
    user = [] if root else ["--user", "--preserve-credentials"]
    return ["nsenter", "--target", str(door), *user, "--net", "--", *argv]
