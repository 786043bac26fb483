"""Which machine the code is about just now; every line that is logged meanwhile says so.

It belongs to the running task, and to what that starts. Set it where a machine is identified.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_MACHINE: ContextVar[str] = ContextVar("machine", default="")


def current() -> str:
    """The id of the machine; empty when it is about none, or about all."""
    return _MACHINE.get()


def identified(machine: str | None) -> None:
    """From here on this task is about that machine; None: about none that we know."""
    _MACHINE.set(machine or "")


@contextmanager
def about(machine: str | None) -> Iterator[None]:
    """The with-block is about that machine, what comes after it is as it was."""
    before = _MACHINE.set(machine or "")
    try:
        yield
    finally:
        _MACHINE.reset(before)
