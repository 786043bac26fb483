"""Transfers are counted per source, and forgotten when they end."""

import pytest

from appliance.netboot.tftp.census import Census
from appliance.netboot.tftp.limits import TftpLimits

LIMITS = TftpLimits(transfers=5, transfers_per_source=3, unanswered_per_source=2)


@pytest.fixture
def census():
    return Census(LIMITS)


def test_a_source_that_does_not_answer_gets_little(census):
    census.begin("a")
    census.begin("a")
    assert census.refusal("a") == "a has not answered 2 transfers"
    assert census.refusal("b") is None
    census.answered("a")
    assert census.refusal("a") is None


def test_a_source_has_a_share(census):
    for _ in range(3):
        census.begin("a")
        census.answered("a")
    assert census.refusal("a") == "a has 3 transfers already"
    census.end("a", answered=True)
    assert census.refusal("a") is None


def test_all_together_have_a_limit(census):
    for source in "abcde":
        census.begin(source)
    assert census.refusal("f") == "all 5 transfers are taken"


def test_nothing_is_remembered_of_the_past(census):
    for source in ("a", "b"):
        census.begin(source)
    census.answered("b")
    census.end("a", answered=False)
    census.end("b", answered=True)
    assert (len(census._running), len(census._unanswered)) == (0, 0)
