"""The figures of a VM over time: their average and peak in each step, in two bytes each. Pure.

An hour is kept in the steps in which it was measured, a day in those of two minutes, a week in those of twenty: as fine
as a screen shows it. A point takes 36 bytes, so that the week of a VM is some 45 kB, whatever it does.
"""

import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from appliance.vm_usage import FIGURES, Figures

EVERY = 10
"""Seconds between two samples."""
FINE, COARSE = 120, 1200
"""Seconds of a step in what is kept of a day, and of a week."""
HOUR, DAY, WEEK = 3600, 86400, 604800


_LEAST, _GAP, _TOP = 1e-4, 0xFFFF, 0xFFFE
_STEP = math.log(1e15 / _LEAST) / (_TOP - 1)
"""From a ten-thousandth of a core to a petabyte in 65,534 steps of 0.07 %: nobody sees that in a chart."""
_POINT = struct.Struct(f"<{2 * len(FIGURES)}H")
_NOTHING: Figures = (None,) * len(FIGURES)


@dataclass(frozen=True, slots=True)
class Point:
    """One step of time."""

    averages: Figures = _NOTHING
    peaks: Figures = _NOTHING


EMPTY = Point()
"""Nothing was measured."""


def sampled(figures: Figures) -> Point:
    """The point of a single measurement."""
    return Point(figures, figures)


def together(points: Iterable[Point]) -> Point:
    """Several steps of equal length as one. What was not measured counts for nothing: it was not zero."""
    known = list(points)
    return Point(
        tuple(map(_average, zip(*(each.averages for each in known), strict=True))) or _NOTHING,
        tuple(map(_peak, zip(*(each.peaks for each in known), strict=True))) or _NOTHING,
    )


def _average(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return min(max(sum(known) / len(known), min(known)), max(known)) if known else None  # sums are rounded


def _peak(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def packed(points: Sequence[Point]) -> bytes:
    """Points one after the other."""
    return b"".join(_POINT.pack(*map(_small, (*each.averages, *each.peaks))) for each in points)


def unpacked(content: bytes) -> list[Point]:
    """What ``packed`` made; bytes at the end that are no whole point are left out."""
    whole = len(content) - len(content) % _POINT.size
    points = []
    for numbers in _POINT.iter_unpack(content[:whole]):
        values = tuple(map(_large, numbers))
        points.append(Point(values[: len(FIGURES)], values[len(FIGURES) :]))
    return points


def overlaid(before: bytes, after: bytes) -> bytes:
    """The points of ``after``, and those of ``before`` where it has none: two runs of the daemon within one row."""
    size, empty = _POINT.size, packed([EMPTY])
    places = range(0, max(len(before), len(after)), size)
    late = ((after[at : at + size], before[at : at + size]) for at in places)
    return b"".join(new if new and (new != empty or not old) else old for new, old in late)


def _small(value: float | None) -> int:
    if value is None or math.isnan(value):
        return _GAP
    if value < _LEAST:
        return 0
    return min(1 + round(math.log(min(value, 1e300) / _LEAST) / _STEP), _TOP)


def _large(number: int) -> float | None:
    if number == _GAP:
        return None
    return _LEAST * math.exp((number - 1) * _STEP) if number else 0.0
