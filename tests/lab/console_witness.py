"""What open pages showed, at every moment, held against what was true then."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.machine import State

SCRIPT = (Path(__file__).parent / "console_witness.js").read_text()
LATE_SECONDS = 10.0
"""How long a page that is connected may still show what was true before; the computer does much else."""
CLOCK_SECONDS = 0.002
"""The browser tells whole milliseconds."""


@dataclass(frozen=True, slots=True)
class Truth:
    """A machine was in ``state`` from ``start`` to ``end``, unix times."""

    state: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Shown:
    """A tab showed ``state`` in ``place`` of the page ``path`` from ``start`` to ``end``, and did not call it old."""

    tab: str
    path: str
    place: str
    state: str
    start: float
    end: float


@dataclass
class Witness:
    """Notes what one tab shows. ``entries`` are what the script in the page told, oldest first."""

    tab: str
    entries: list[dict[str, Any]] = field(default_factory=list)

    def note(self, entry: dict[str, Any]) -> None:
        """Called by the page."""
        self.entries.append(entry)

    def shown(self, end: float) -> list[Shown]:
        """Every state that was shown as current, with its span; the last one until ``end``."""
        ends = [entry["at"] for entry in self.entries[1:]] + [end]
        return [
            Shown(self.tab, entry["path"], place, state, entry["at"], until)
            for entry, until in zip(self.entries, ends, strict=True)
            if not entry["old"]
            for place, states in entry["states"].items()
            for state in states
        ]

    def shares(self, place: str) -> list[int]:
        """The percentages that a bar in this place showed one after the other, each change once."""
        texts = [text for entry in self.entries for text in entry["shares"].get(place, ())[:1]]
        numbers = [int(text.removesuffix("%")) for text in texts]
        return [number for index, number in enumerate(numbers) if index == 0 or number != numbers[index - 1]]


def truths(timeline: Iterable[dict[str, Any]], created: float, end: float) -> list[Truth]:
    """The states of a machine from its ``machine.state`` events; before the first of them it was discovered."""
    changes = sorted((item["at"], item["detail"]["to"]) for item in timeline if item["kind"] == "machine.state")
    starts = [(created, "discovered"), *changes]
    ends = [at for at, _ in changes] + [end]
    return [Truth(state, at, until) for (at, state), until in zip(starts, ends, strict=True)]


def untrue(shown: Iterable[Shown], true: Sequence[Truth]) -> list[Shown]:
    """What was shown before it was true, or longer than it can take to hear that it is no more."""
    return [each for each in shown if each.state in KNOWN and not any(_covers(one, each) for one in true)]


KNOWN = frozenset(state.value for state in State)
"""States of machines; a deployment that is on none shows other words."""


def _covers(truth: Truth, shown: Shown) -> bool:
    return (
        truth.state == shown.state
        and truth.start - CLOCK_SECONDS <= shown.start
        and shown.end <= truth.end + LATE_SECONDS
        and shown.start <= truth.end + LATE_SECONDS
    )
