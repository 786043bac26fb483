"""Ends a restore at one of its steps: every call that makes, renames, links or removes a file is one."""

import os
import signal
import sys
from collections.abc import Callable

STEPS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.chmod", "os.chown", "ctypes.dlsym"}
"""Audit events before the steps; renameat2 is looked up right before it is called."""


def run(restore: Callable[[], object], last: int | None) -> int:
    """Run ``restore`` in a process of its own, and kill -9 it before step number ``last``. How many steps it took."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _count(write, last)
        status = 1
        try:
            restore()
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    with open(read, "rb") as steps:
        count = len(steps.read())
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed if last is not None else status == 0, f"step {count}, status {status}"
    return count


def _count(told: int, last: int | None) -> None:
    taken = 0

    def hook(event: str, values: tuple[object, ...]) -> None:
        nonlocal taken
        if event in STEPS or (event == "open" and _writes(values)):
            if taken == last:
                os.kill(os.getpid(), signal.SIGKILL)
            taken += 1
            os.write(told, b".")

    sys.addaudithook(hook)


def _writes(values: tuple[object, ...]) -> bool:
    flags = values[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))
