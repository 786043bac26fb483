"""What there is to count, by name, and the page that Prometheus reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from appliance.metrics.histogram import Histogram

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The text format that every Prometheus reads."""

Labels = tuple[str, ...]
"""Values of a metric's labels, in their order; words of ours only."""
Values = Mapping[Labels, float]
Durations = Mapping[Labels, Histogram]
Stored = Mapping[str, Values]
"""Name of a metric (without prefix) to what the store says of it."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """A counter or a gauge."""

    kind: Literal["counter", "gauge"]
    says: str
    labels: Labels
    """Their names."""
    read: Callable[[], Values]


@dataclass(frozen=True, slots=True)
class Times:
    """A histogram of seconds."""

    says: str
    labels: Labels
    read: Callable[[], Durations]


Families = Mapping[str, Numbers | Times]
"""By name, without prefix."""


class Metrics:
    """All metrics of one daemon. Nothing is global: two of them in one process do not know each other."""

    def __init__(self) -> None:
        self._families: dict[str, Numbers | Times] = {}
        self._stored: Stored = {}

    def counter(self, name: str, says: str, labels: Labels, read: Callable[[], Values]) -> None:
        """What only grows while the daemon runs; ``read`` is called at each scrape."""
        self._families[name] = Numbers("counter", says, labels, read)

    def gauge(self, name: str, says: str, labels: Labels, read: Callable[[], Values]) -> None:
        """What goes up and down."""
        self._families[name] = Numbers("gauge", says, labels, read)

    def durations(self, name: str, says: str, labels: Labels, read: Callable[[], Durations]) -> None:
        """How long something takes, in seconds."""
        self._families[name] = Times(says, labels, read)

    def stored(self, name: str, says: str, labels: Labels) -> None:
        """A gauge whose values come with the call of ``page``: whoever calls it has asked the store."""
        self.gauge(name, says, labels, lambda: self._stored.get(name, {}))

    def page(self, stored: Stored) -> bytes:
        """The page of all metrics, in Prometheus' text format."""
        from appliance.metrics.text_format import written  # a daemon that nobody scrapes does without its library

        self._stored = stored
        return written(self._families)
