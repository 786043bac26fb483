"""Metrics as Prometheus reads them, by its own library."""

from collections.abc import Iterator

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from appliance.metrics.exposition import Families, Numbers, Times

PREFIX = "appliance_"


def written(families: Families) -> bytes:
    """The page of all of them, read now, in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Page(families))
    return generate_latest(registry)


class _Page(Collector):
    def __init__(self, families: Families) -> None:
        self.families = families

    def collect(self) -> Iterator[Metric]:
        for name, family in self.families.items():
            yield _numbers(name, family) if isinstance(family, Numbers) else _times(name, family)


def _numbers(name: str, family: Numbers) -> Metric:
    made = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = made(PREFIX + name, family.says, labels=family.labels)
    for labels, value in tuple(family.read().items()):
        metric.add_metric(labels, value)
    return metric


def _times(name: str, family: Times) -> Metric:
    metric = HistogramMetricFamily(PREFIX + name, family.says, labels=family.labels)
    for labels, histogram in tuple(family.read().items()):
        metric.add_metric(labels, list(histogram.buckets()), histogram.total)
    return metric
