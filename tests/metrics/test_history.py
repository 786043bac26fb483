"""The history: rates from what grows, bounded rings, times in order, no more points than a screen has."""

import sys

from appliance.metrics.history import EVERY, KEPT, POINTS, History, Source


class Traffic:
    """Two sources that a test turns by hand."""

    def __init__(self, kept: int = KEPT) -> None:
        self.total, self.lag = 0.0, 0.0
        sources = {"boot": Source(lambda: self.total, rate=True), "lag": Source(lambda: self.lag, worst=True)}
        self.history = History(sources, kept)

    def sample(self, now: float, grown: float, lag: float) -> None:
        self.total += grown
        self.lag = lag
        self.history.sample(now)


def test_rates_and_values_with_their_times() -> None:
    traffic = Traffic()
    traffic.sample(100.0, 5000, 0.0)
    assert traffic.history.columns(3600, 100.0, 1e9) == ([], {"boot": [], "lag": []})
    traffic.sample(110.0, 1000, 0.5)
    traffic.sample(120.0, 0, 0.25)
    times, columns = traffic.history.columns(3600, 125.0, 1e9)
    assert times == [1e9 - 15, 1e9 - 5]
    assert columns == {"boot": [100.0, 0.0], "lag": [0.5, 0.25]}
    assert traffic.history.columns(10, 125.0, 1e9)[1]["boot"] == [0.0]


def test_the_ring_holds_the_latest() -> None:
    traffic = Traffic(kept=3)
    for number in range(7):
        traffic.sample(number * 10.0, number * 10.0, 0.0)
    times, columns = traffic.history.columns(1e6, 60.0, 60.0)
    assert times == [40.0, 50.0, 60.0]
    assert columns["boot"] == [4.0, 5.0, 6.0]


def test_a_whole_day_is_no_more_points_than_a_screen_has() -> None:
    traffic = Traffic()
    for number in range(KEPT + 100):
        traffic.sample(number * EVERY, 0, 3.0 if number == KEPT else 0.0)
    times, columns = traffic.history.columns(86400, (KEPT + 99) * EVERY, 1e9)
    assert len(times) <= POINTS
    assert times == sorted(times)
    assert {len(values) for values in columns.values()} == {len(times)}
    assert max(columns["lag"]) == 3.0, "a peak is seen, however many samples one point stands for"


def test_it_takes_a_few_hundred_kilobytes_at_most() -> None:
    history = History({name: Source(lambda: 0.0) for name in ("dhcp", "boot", "dns", "cpu", "memory", "lag")})
    assert sys.getsizeof(history._times) + sum(map(sys.getsizeof, history._rings.values())) < 300_000


def test_two_samples_at_one_time_divide_by_nothing() -> None:
    traffic = Traffic()
    for _ in range(3):
        traffic.sample(10.0, 1, 0.0)
    assert traffic.history.columns(100, 10.0, 10.0)[0] == []
