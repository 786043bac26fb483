"""Errors are answers that a forged address can ask for: each source gets a few a second, all together some more."""

from appliance.netboot.tftp.refusals import Refusals


def test_a_source_is_told_so_often_a_second():
    refusals = Refusals(3, 100)
    assert [refusals.may("a", 10.0) for _ in range(5)] == [True, True, True, False, False]
    assert refusals.may("b", 10.9)
    assert not refusals.may("a", 10.9)
    assert refusals.may("a", 11.0)


def test_all_together_have_a_limit_and_nothing_is_remembered():
    refusals = Refusals(3, 5)
    assert sum(refusals.may(str(number), 10.0) for number in range(100_000)) == 5
    assert len(refusals._given) == 5
    assert refusals.may("late", 11.0)
    assert len(refusals._given) == 1


def test_a_clock_that_was_set_back_silences_nobody():
    refusals = Refusals(1, 5)
    assert refusals.may("a", 1000.0)
    assert refusals.may("a", 3.0)
