"""What the benchmarks of TFTP and boot HTTP read out of other programs, and how they compare."""

import pytest

from appliance.errors import ApplianceError
from tests.benchmarks.http_boot import transferred
from tests.benchmarks.tftp import COUNTS, WAYS, figures, late

STAMPS = "***Timestamps***\n" + "".join(f"sent / received: 000001.000000 / 000001.{n:06}\n" for n in range(1, 101))


def test_the_rate_of_wrk():
    assert transferred("Requests/sec: 8.40\nTransfer/sec:    319.01MB\n") == pytest.approx(319.01e6)
    assert transferred("Transfer/sec:      1.02GB\n") == pytest.approx(1.02e9)
    with pytest.raises(ApplianceError, match="no rate"):
        transferred("unable to connect")


def test_99_of_100_answers():
    assert late(STAMPS) == pytest.approx(0.0001)
    assert late("nothing came") == float("inf")


def test_ours_is_held_against_the_better_peer():
    rates = {(way.name, count): 50.0 for way in WAYS for count in COUNTS}
    rates |= {("dnsmasq", 8): 75.0, ("ours in windows", 8): 300.0}
    by_name = {figure.what: figure for figure in figures(rates)}
    plain = by_name["TFTP, 8 clients: the better peer's rate per ours"]
    windowed = by_name["TFTP, 8 clients: the better peer's rate per ours in windows of 16"]
    assert (plain.value, plain.met) == (1.5, False)
    assert (windowed.value, windowed.met) == (0.25, True)
