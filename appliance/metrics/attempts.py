"""Attempts that ended, by kind and outcome, and how long they took; taken from the events that tell of them."""

from collections import Counter

from appliance.events import Event, Published
from appliance.metrics.exposition import Labels
from appliance.metrics.histogram import LONG, Histogram
from appliance.workflow import Kind

_OUTCOMES = {"attempt.done": "done", "attempt.failed": "failed"}
REMEMBERED = 20_000
"""Attempts that are under way at most; a fleet has one for each machine."""


class AttemptFigures:
    """Counts what the bus says. ``machine`` and ``code`` are left out: agents choose codes, and fleets are large."""

    def __init__(self) -> None:
        self.ended: Counter[Labels] = Counter()
        """By kind and outcome."""
        self.seconds: dict[Labels, Histogram] = {}
        """The same; of those whose beginning this daemon saw."""
        self._began: dict[str, float] = {}

    def take(self, item: Published) -> None:
        """A listener of the bus; never raises."""
        if not isinstance(item, Event) or not item.kind.startswith("attempt."):
            return
        attempt, kind = str(item.detail.get("attempt")), _kind(item)
        if item.kind == "attempt.started":
            self._begin(attempt, item.at)
        elif kind and item.kind in _OUTCOMES:
            self._end(attempt, (kind, _OUTCOMES[item.kind]), item.at)

    def _begin(self, attempt: str, at: float) -> None:
        if len(self._began) >= REMEMBERED:
            self._began.pop(next(iter(self._began)))
        self._began[attempt] = at

    def _end(self, attempt: str, labels: Labels, at: float) -> None:
        self.ended[labels] += 1
        began = self._began.pop(attempt, None)
        if began is not None:
            self.seconds.setdefault(labels, Histogram(LONG)).observe(max(0.0, at - began))


def _kind(event: Event) -> str:
    """The kind of the attempt as a word of ours; empty for anything else."""
    try:
        return Kind(event.detail.get("kind", "")).value
    except ValueError:
        return ""
