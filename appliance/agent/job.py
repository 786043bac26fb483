"""One step of an attempt, with what it needs to run: its parameters, the computer, and a way to be told off."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .disk.erase import Agreement
from .disk.model import Disk, Wanted, find
from .errors import StepFailed
from .hardware import Hardware


class Params:
    """Typed reading of a step's parameters. Each method raises StepFailed `bad-params` that names the key."""

    def __init__(self, values: object, where: str = "") -> None:
        if not isinstance(values, dict):
            raise StepFailed("bad-params", f"{where or 'params'} is not an object")
        self.values: dict[str, Any] = values
        self.where = where

    def text(self, key: str, default: str | None = None) -> str:
        """A string; `default` stands in for a missing one and for null."""
        value = self._get(key, default)
        if not isinstance(value, str):
            raise self._wrong(key, "a string")
        return value

    def integer(self, key: str) -> int:
        """An integer that is not negative."""
        value = self._get(key, None)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._wrong(key, "a number")
        return value

    def flag(self, key: str) -> bool:
        """True or false; false when missing."""
        value = self._get(key, False)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def texts(self, key: str) -> list[str]:
        """A list of strings, [] when missing."""
        value = self._get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, "a list of strings")
        return value

    def inner(self, key: str) -> "Params":
        """An object."""
        return Params(self._get(key, None), f"{self.where}{key}.")

    def inners(self, key: str) -> "list[Params]":
        """A list of objects, [] when missing."""
        value = self._get(key, [])
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        return [Params(item, f"{self.where}{key}.") for item in value]

    def has(self, key: str) -> bool:
        """Whether `key` is there and not null."""
        return self.values.get(key) is not None

    def wanted_disk(self) -> Wanted:
        """The disk that `disk` names."""
        disk = self.inner("disk")
        size = disk.integer("size") if disk.has("size") else None
        return Wanted(disk.text("serial", ""), disk.text("wwn", ""), size)

    def agreement(self) -> Agreement:
        """What may be lost, as `content`, `owned` and `begun` say."""
        return Agreement(self.text("content", ""), self.flag("owned"), frozenset(self.texts("begun")))

    def _get(self, key: str, default: object) -> object:
        value = self.values.get(key)
        return default if value is None else value

    def _wrong(self, key: str, what: str) -> StepFailed:
        return StepFailed("bad-params", f"{self.where}{key} is not {what}")


BEGUN = 0.0001
"""Progress of a step that has given up what is on its disk, and has done nothing else yet: it is not told before."""


@dataclass
class Job:
    """`tell` sends progress (0 to 1, and words) to the appliance and the screen; it raises Abandoned."""

    attempt: str
    step: str
    params: Params
    hardware: Hardware
    tell: Callable[[float, str], None]
    send: Callable[[str, dict[str, Any]], None]
    """Sends an object to a path of the control, however long it takes; raises Refused."""
    _last: float = field(default=-1e9)
    _fraction: float = 0.0

    def progress(self, fraction: float, message: str) -> None:
        """Tell how far the step is, at most once a second."""
        self._fraction = fraction
        now = time.monotonic()
        if now - self._last >= 1.0:
            self._last = now
            self.tell(fraction, message)

    def waiting(self, message: str) -> None:
        """Tell what the step waits for, so that the appliance does not take the silence for a dead machine."""
        self.tell(self._fraction, message)

    def marked(self, message: str) -> None:
        """Have the appliance know that the disk carries this attempt's mark, before more of it is lost; however long
        that takes. Where the mark goes as well, nothing else tells that the rest was given up.

        Raises Refused, Abandoned.
        """
        self.send("report", {"step": self.step, "status": "running", "progress": BEGUN, "message": message})

    def disk(self) -> Disk:
        """The disk that the step names. Raises StepFailed."""
        return find(self.hardware.disks(), self.params.wanted_disk())


@dataclass(frozen=True)
class Outcome:
    """How a step ended well. `afterwards` is done once the appliance knows; nothing returns from it.

    `undo` takes back what `afterwards` would have needed, for when the appliance no longer wants it.
    """

    result: dict[str, Any]
    message: str = ""
    afterwards: Callable[[], object] | None = None
    undo: Callable[[], None] | None = None
