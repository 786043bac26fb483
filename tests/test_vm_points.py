"""Points of what VMs used: small, true to a thousandth, and still true when several become one."""

import math

from hypothesis import given
from hypothesis import strategies as st

from appliance.vm_points import EMPTY, Point, overlaid, packed, sampled, together, unpacked
from appliance.vm_usage import FIGURES

VALUES = st.one_of(st.none(), st.just(0.0), st.floats(1e-4, 1e15))
SAMPLES = st.tuples(*[VALUES] * len(FIGURES)).map(sampled)
POINTS = st.lists(SAMPLES, min_size=1, max_size=6)


def close(left, right):
    both = zip((*left.averages, *left.peaks), (*right.averages, *right.peaks), strict=True)
    return all(one is other or (one is not None and math.isclose(one, other, rel_tol=1e-3)) for one, other in both)


@given(POINTS)
def test_points_are_unpacked_as_they_were_packed(points):
    content = packed(points)
    assert len(content) == 36 * len(points)
    assert all(map(close, points, unpacked(content)))


@given(st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * len(FIGURES)))
def test_any_number_can_be_packed(figures):
    (point,) = unpacked(packed([sampled(figures)]))
    assert all(value is None or 0 <= value <= 1.001e15 for value in point.averages)


@given(st.binary(max_size=200))
def test_any_bytes_are_some_points(content):
    assert len(unpacked(content)) == len(content) // 36


@given(POINTS)
def test_an_average_lies_among_its_parts_and_a_peak_is_one_of_them(points):
    whole = together(points)
    for number in range(len(FIGURES)):
        values = [each.averages[number] for each in points if each.averages[number] is not None]
        if not values:
            assert whole.averages[number] is whole.peaks[number] is None
            continue
        assert min(values) <= whole.averages[number] <= max(values) == whole.peaks[number]


@given(SAMPLES, st.integers(1, 9))
def test_what_stays_the_same_does_so_in_any_step(point, times):
    assert together([point] * times) == point


@given(POINTS, POINTS)
def test_peaks_survive_being_put_together_twice(some, others):
    assert together([together(some), together(others)]).peaks == together([*some, *others]).peaks


@given(POINTS)
def test_what_was_not_measured_counts_for_nothing(points):
    assert together([EMPTY, *points, EMPTY]) == together(points)
    assert together([]) == EMPTY


def test_the_later_run_wins_and_the_earlier_fills_its_gaps():
    old, new = sampled((1.0,) * 9), sampled((2.0,) * 9)
    row = overlaid(packed([old, old, EMPTY]), packed([EMPTY, new, EMPTY, new]))
    assert [round(each.averages[0] or 0) for each in unpacked(row)] == [1, 2, 0, 2]
    assert unpacked(row)[2] == EMPTY
    assert overlaid(b"", packed([EMPTY, new])) == packed([EMPTY, new])


def test_a_point_of_nothing_is_empty():
    assert Point() == EMPTY == unpacked(packed([EMPTY]))[0]
