"""Moments of an attempt, as `World.moment` waits for them."""

from collections.abc import Callable

from kill_daemon import Record


def step_of(attempt: Record) -> str:
    """The present step's name."""
    return str(attempt["steps"][attempt["index"]])


def at(step: str) -> Callable[[Record], bool]:
    """The moment when ``step`` becomes due."""
    return lambda attempt: step_of(attempt) == step


def told_to(step: str) -> Callable[[Record], bool]:
    """The moment when the machine has been told to do ``step``."""
    return lambda attempt: step_of(attempt) == step and attempt["obeyed"]


def writing(attempt: Record) -> bool:
    """A part of the image is on the disk."""
    return step_of(attempt) == "write-image" and 0 < attempt["progress"] < 1
