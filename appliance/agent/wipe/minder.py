"""Keeping in touch with the appliance while a disk works for hours, and giving up on one that does not get on."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread
from typing import Generic, TypeVar

from ..errors import Abandoned

T = TypeVar("T")
BEAT = 10.0
"""Seconds between two signs of life."""


@dataclass(frozen=True)
class Minder:
    """`tell` sends progress (0 to 1, and words) and may raise Abandoned; `pause` waits, `clock` counts, in seconds."""

    tell: Callable[[float, str], None]
    pause: Callable[[float], None]
    clock: Callable[[], float]

    def part(self, begins: float, ends: float) -> "Minder":
        """One whose 0 to 1 is a part of this one's."""
        return Minder(lambda done, words: self.tell(begins + done * (ends - begins), words), self.pause, self.clock)

    def mind(self, command: Callable[[], T], expected: float | None, words: str, beat: float = BEAT) -> T:
        """Carry out a command that cannot be called off, and tell meanwhile that it goes on.

        `expected` are the seconds that it may take. When the step is abandoned the command is waited for all the
        same, and Abandoned raised then: a disk that is in the middle of it must not be left to the next attempt.
        """
        began, worker = self.clock(), _Worker(command)
        worker.start()
        abandoned: Abandoned | None = None
        while worker.goes_on(beat):
            passed = self.clock() - began
            try:
                if abandoned is None:
                    self.tell(min(passed / expected, 0.99) if expected else 0.0, f"{words}, for {_minutes(passed)}")
            except Abandoned as error:
                abandoned = error
        result = worker.result()
        if abandoned is not None:
            raise abandoned
        return result


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min"


class _Worker(Generic[T]):
    """A thread for one blocking call, and what comes of it."""

    def __init__(self, command: Callable[[], T]) -> None:
        self._command = command
        self._results: list[T] = []
        self._errors: list[BaseException] = []
        self._thread = Thread(target=self._work, name="disk", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def goes_on(self, seconds: float) -> bool:
        """Wait so long for its end; whether there was none."""
        self._thread.join(seconds)
        return self._thread.is_alive()

    def result(self) -> T:
        """What the call returned. Raises what it raised."""
        if self._errors:
            raise self._errors[0]
        return self._results[0]

    def _work(self) -> None:
        try:
            self._results.append(self._command())
        except BaseException as error:  # raised again where it was asked for
            self._errors.append(error)
