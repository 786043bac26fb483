"""One complaint per interval, with the number of those that were not made."""

from appliance.netboot.quiet import Quiet


def test_the_first_is_reported_at_once_and_the_rest_counted():
    quiet = Quiet(10.0)
    assert [quiet.count(now) for now in (0.0, 1.0, 9.9, 10.0, 11.0, 25.0)] == [1, None, None, 3, None, 2]


def test_a_clock_that_was_set_back_silences_it_for_one_interval_at_most():
    quiet = Quiet(10.0)
    assert [quiet.count(now) for now in (1e9, 5.0, 6.0, 15.0)] == [1, 1, None, 2]
