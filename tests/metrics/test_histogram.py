"""Histograms count as Prometheus wants them: each bucket has all below it too."""

from appliance.metrics.histogram import Histogram


def test_buckets_add_up() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(value)
    assert list(histogram.buckets()) == [("0.1", 2), ("1.0", 3), ("+Inf", 4)]
    assert histogram.total == 7.65
