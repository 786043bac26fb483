"""Waits that end together, so that a hall of idle machines wakes the daemon a few times a second and not for each."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.reconcile.bell import TOGETHER_SECONDS, end_of_wait

STARTS = st.floats(0, 1e7)


@given(STARTS, st.floats(10, 3600))
def test_long_waits_end_a_little_early_at_one_of_few_moments(now: float, seconds: float) -> None:
    end = end_of_wait(now, seconds)
    assert now + seconds - TOGETHER_SECONDS <= end <= now + seconds
    assert end % TOGETHER_SECONDS == 0


@given(STARTS, st.floats(0, 9))
def test_short_waits_are_as_long_as_asked(now: float, seconds: float) -> None:
    assert end_of_wait(now, seconds) == now + seconds


def test_ten_thousand_waits_end_at_few_moments() -> None:
    ends = {end_of_wait(1000.0 + number / 200, 50.0) for number in range(10_000)}
    assert len(ends) <= 50 / TOGETHER_SECONDS + 1
