"""What there is to count, by name, and the page that Prometheus reads."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from appliance.metrics.histogram import Histogram

PREFIX = "appliance_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The text format that every Prometheus reads."""

Labels = tuple[str, ...]
"""Values of a metric's labels, in their order; words of ours only."""
Values = Mapping[Labels, float]
Durations = Mapping[Labels, Histogram]
Stored = Mapping[str, Values]
"""Name of a metric (without prefix) to what the store says of it."""


@dataclass(frozen=True, slots=True)
class _Family:
    kind: Literal["counter", "gauge"]
    says: str
    labels: Labels
    read: Callable[[], Values]

    def metric(self, name: str) -> Metric:
        made = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        metric = made(PREFIX + name, self.says, labels=self.labels)
        for labels, value in tuple(self.read().items()):
            metric.add_metric(labels, value)
        return metric


@dataclass(frozen=True, slots=True)
class _Durations:
    says: str
    labels: Labels
    read: Callable[[], Durations]

    def metric(self, name: str) -> Metric:
        metric = HistogramMetricFamily(PREFIX + name, self.says, labels=self.labels)
        for labels, histogram in tuple(self.read().items()):
            metric.add_metric(labels, list(histogram.buckets()), histogram.total)
        return metric


class Metrics(Collector):
    """All metrics of one daemon. Nothing is global: two of them in one process do not know each other."""

    def __init__(self) -> None:
        self._families: dict[str, _Family | _Durations] = {}
        self._stored: Stored = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def counter(self, name: str, says: str, labels: Labels, read: Callable[[], Values]) -> None:
        """What only grows while the daemon runs; ``read`` is called at each scrape."""
        self._families[name] = _Family("counter", says, labels, read)

    def gauge(self, name: str, says: str, labels: Labels, read: Callable[[], Values]) -> None:
        """What goes up and down."""
        self._families[name] = _Family("gauge", says, labels, read)

    def durations(self, name: str, says: str, labels: Labels, read: Callable[[], Durations]) -> None:
        """How long something takes, in seconds."""
        self._families[name] = _Durations(says, labels, read)

    def stored(self, name: str, says: str, labels: Labels) -> None:
        """A gauge whose values come with the call of ``page``: whoever calls it has asked the store."""
        self.gauge(name, says, labels, lambda: self._stored.get(name, {}))

    def collect(self) -> Iterator[Metric]:
        """Everything as it is now."""
        for name, family in self._families.items():
            yield family.metric(name)

    def page(self, stored: Stored) -> bytes:
        """The page of all metrics, in Prometheus' text format."""
        self._stored = stored
        return generate_latest(self._registry)
