"""The page of metrics, read by Prometheus' own parser."""

from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from appliance.metrics.exposition import Labels, Metrics
from appliance.metrics.histogram import Histogram

HOSTILE = 'x"} 1\nevil_metric{a="<script>\x1b[2J\u202e\\'


def read(page: bytes) -> dict[tuple[str, ...], float]:
    """Every sample by its name and label values."""
    families = text_string_to_metric_families(page.decode())
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def test_what_is_counted_is_read_at_each_scrape() -> None:
    metrics, packets = Metrics(), Counter[Labels]()
    metrics.counter("dhcp_packets", "Packets", ("direction", "kind"), lambda: packets)
    packets["received", "discover"] += 3
    assert read(metrics.page({})) == {("appliance_dhcp_packets_total", "received", "discover"): 3}
    packets["received", "discover"] += 1
    assert read(metrics.page({})) == {("appliance_dhcp_packets_total", "received", "discover"): 4}


def test_histograms() -> None:
    metrics, histogram = Metrics(), Histogram((0.5,))
    metrics.durations("lag_seconds", "Lag", ("site",), lambda: {("boot",): histogram})
    histogram.observe(0.25)
    histogram.observe(2.0)
    samples = read(metrics.page({}))
    assert samples["appliance_lag_seconds_bucket", "0.5", "boot"] == 1
    assert samples["appliance_lag_seconds_bucket", "+Inf", "boot"] == 2
    assert samples["appliance_lag_seconds_count", "boot"] == 2
    assert samples["appliance_lag_seconds_sum", "boot"] == 2.25


def test_two_daemons_in_one_process_do_not_know_each_other() -> None:
    one, other = Metrics(), Metrics()
    one.gauge("machines", "Machines", (), lambda: {(): 1})
    other.gauge("machines", "Machines", (), lambda: {(): 2})
    assert read(one.page({})) == {("appliance_machines",): 1}
    assert read(other.page({})) == {("appliance_machines",): 2}


def test_what_the_store_says_comes_with_the_page() -> None:
    metrics = Metrics()
    metrics.stored("machines", "Machines by state", ("state",))
    assert read(metrics.page({})) == {}
    assert read(metrics.page({"machines": {("idle",): 7}})) == {("appliance_machines", "idle"): 7}


def test_a_hostile_label_would_be_harmless() -> None:
    """None gets there; if one did, it could not forge a line."""
    metrics = Metrics()
    metrics.gauge("bad", HOSTILE, ("what",), lambda: {(HOSTILE,): 1})
    page = metrics.page({})
    assert read(page) == {("appliance_bad", HOSTILE): 1}
    assert not any(line.startswith("evil") for line in page.decode().split("\n"))
