"""What is in memory of one VM: samples of an hour, points for the disk, in bounded space whatever clocks do."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.reconcile.vm_statistics.history import in_columns, with_gaps
from appliance.reconcile.vm_statistics.sampling import pause
from appliance.reconcile.vm_statistics.series import ROW, SAMPLES, Series, by_step, coarse, points_of
from appliance.vm_points import COARSE, EMPTY, FINE, packed, sampled, unpacked
from appliance.vm_usage import FIGURES

WALL = 1_795_200_000
"""Where a coarse step begins."""


def figures(cpu):
    return (float(cpu), *[None] * (len(FIGURES) - 1))


def cpu(point):
    value = point.averages[0]
    return None if value is None else round(value, 2)


def test_two_minutes_of_samples_become_a_point_with_its_peak():
    series = Series()
    for number in range(13):
        series.put(number * 10.0, WALL + number * 10.0, figures(4 if number == 3 else 1))
    ((start, row),) = series.rows().items()
    point, *rest = unpacked(row)
    assert (start, len(rest)) == (WALL, ROW - 1)
    assert math.isclose(point.averages[0], 1.25, rel_tol=1e-3)
    assert math.isclose(point.peaks[0], 4, rel_tol=1e-3)
    assert rest == [EMPTY] * (ROW - 1), "the thirteenth sample is of the next step, which goes on"
    assert [(start, cpu(point)) for start, point in series.points()] == [(WALL, 1.25), (WALL + FINE, 1.0)]


def test_the_hour_holds_the_latest_samples():
    series = Series()
    for number in range(SAMPLES + 50):
        series.put(number * 10.0, WALL + number * 10.0, figures(number % 7))
    recent = series.recent(-1.0)
    assert [at for at, _ in recent] == [number * 10.0 for number in range(50, SAMPLES + 50)]
    assert [round(each[0]) for _, each in recent] == [number % 7 for number in range(50, SAMPLES + 50)]
    assert len(series.recent(series.last - 25)) == 3


def test_what_is_on_the_disk_leaves_memory_but_for_the_row_that_goes_on():
    series = Series()
    for number in range(2 * COARSE // 10 + 13):
        series.put(number * 10.0, WALL + number * 10.0, figures(1))
    wall = WALL + 2 * COARSE + 130
    assert sorted(series.rows()) == [WALL, WALL + COARSE, WALL + 2 * COARSE]
    series.written(series.rows(), wall)
    assert sorted(series.rows()) == [WALL + 2 * COARSE]
    series.close()
    series.written(series.rows(), wall + COARSE)
    assert series.rows() == {}


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0.1, 4000), st.floats(-1e6, 1e6)), max_size=300))
def test_clocks_may_step_as_they_like(steps):
    """Every sample is in exactly one point of its own time, and nothing grows but by rows that were really measured."""
    series, at, wall, walls = Series(), 0.0, float(WALL), set()
    for further, jump in steps:
        at, wall = at + further, wall + further + (jump if abs(jump) > 9e5 else 0)
        series.put(at, wall, figures(1))
        walls.add(wall // COARSE)
    assert len(series.recent(-1.0)) == min(len(steps), SAMPLES)
    assert {cpu(point) for _, point in series.points()} <= {1.0}
    assert {start // COARSE for start, _ in series.points()} == walls
    assert len(series.rows()) <= len(walls)


@given(st.lists(st.one_of(st.none(), st.floats(1e-3, 1e6)), min_size=ROW, max_size=ROW))
def test_a_coarse_point_is_what_its_fine_points_are_together(values):
    row = packed([EMPTY if value is None else sampled(figures(value)) for value in values])
    (point,) = unpacked(coarse(row))
    known = [value for value in values if value is not None]
    if not known:
        assert point == EMPTY
        return
    assert math.isclose(point.averages[0], sum(known) / len(known), rel_tol=2e-3)
    assert math.isclose(point.peaks[0], max(known), rel_tol=2e-3)
    (whole,) = by_step(points_of(WALL, row), COARSE).items()
    assert whole[0] == WALL
    assert math.isclose(whole[1].averages[0], point.averages[0], rel_tol=2e-3)


def test_charts_draw_no_line_where_nothing_was_measured():
    points = [(WALL + at, sampled(figures(at))) for at in (240, 0, 120, 1200)]
    columns = in_columns(with_gaps(points, FINE))
    assert columns.time == [WALL, WALL + 120, WALL + 240, WALL + 360, WALL + 1200]
    assert columns.averages["cpu"] == [0.0, 120.0, 240.0, None, 1200.0]
    assert columns.peaks.keys() == columns.averages.keys() == set(FIGURES)


def test_a_host_that_is_slow_is_asked_for_a_tenth_of_its_time():
    assert (pause(0.0), pause(0.5), pause(5.0)) == (10.0, 9.5, 45.0)
