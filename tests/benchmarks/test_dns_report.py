"""dnsperf's report, and what is made of it."""

import pytest

from appliance.errors import ApplianceError
from tests.benchmarks.dns import NAMES, Look, _figures, answered, names

REPORT = """
  Queries sent:         400000
  Response codes:       {codes}
  Average packet size:  request 36, response 52
  Queries per second:   98765.432100
"""


def test_the_rate_is_read() -> None:
    assert answered(REPORT.format(codes="NOERROR 400000 (100.00%)")) == 98765.4321


@pytest.mark.parametrize("codes", ["", "NOERROR 399999 (99.99%), SERVFAIL 1 (0.01%)", "REFUSED 400000 (100.00%)"])
def test_wrong_answers_count_for_nothing(codes: str) -> None:
    with pytest.raises(ApplianceError, match="dnsperf heard"):
        answered(REPORT.format(codes=codes))


def test_we_are_compared_with_the_better_one() -> None:
    rate, cost = _figures({"unbound": Look(90_000, 8.0), "ours": Look(100_000, 9.0), "dnsmasq": Look(50_000, 12.0)})
    assert (rate.value, rate.met) == (0.9, True)
    assert cost.value == 9 / 8


def test_every_name_has_an_address_of_its_own() -> None:
    assert len(set(names().values())) == NAMES
