"""What is in memory of one VM over time: 9 kB for the samples of an hour, and what the disk does not have yet.

Pure: times come in. ``at`` is seconds of a clock that never jumps, ``wall`` the Unix time of the same moment.
"""

from array import array
from collections.abc import Iterable

from appliance.vm_points import COARSE, EMPTY, EVERY, FINE, HOUR, Point, packed, sampled, together, unpacked
from appliance.vm_usage import Figures

SAMPLES = HOUR // EVERY
ROW = COARSE // FINE
"""Fine points of a row on the disk, which one day become one coarse point."""
_SIZE = len(packed([EMPTY]))
_NO_POINTS = packed([EMPTY] * ROW)


class Series:
    """One VM."""

    def __init__(self) -> None:
        self._times = array("d", bytes(8 * SAMPLES))
        self._samples = bytearray(_SIZE // 2 * SAMPLES)
        self._count = 0
        self._step = 0
        self._open: list[Figures] = []
        self._rows: dict[int, bytearray] = {}

    @property
    def last(self) -> float:
        """When it was sampled last; 0 for never."""
        return self._times[(self._count - 1) % SAMPLES]

    def put(self, at: float, wall: float, figures: Figures) -> None:
        """Take a sample."""
        place, size = self._count % SAMPLES, _SIZE // 2
        self._times[place] = at
        self._samples[place * size : (place + 1) * size] = packed([sampled(figures)])[:size]
        self._count += 1
        if (step := _floor(wall, FINE)) != self._step:
            self.close()
            self._step = step
        self._open.append(figures)

    def recent(self, since: float) -> list[tuple[float, Figures]]:
        """Samples of the last hour that were taken after ``since``, the oldest first."""
        size = _SIZE // 2
        places = [number % SAMPLES for number in range(max(0, self._count - SAMPLES), self._count)]
        chosen = [place for place in places if self._times[place] > since]
        content = b"".join(2 * bytes(self._samples[place * size : (place + 1) * size]) for place in chosen)
        points = unpacked(content)
        return [(self._times[place], point.averages) for place, point in zip(chosen, points, strict=True)]

    def close(self) -> None:
        """The step that is going on ends now."""
        if not self._open:
            return
        point = packed([together(map(sampled, self._open))])
        self._open = []
        row = self._rows.setdefault(_floor(self._step, COARSE), bytearray(_NO_POINTS))
        place = self._step % COARSE // FINE * _SIZE
        row[place : place + _SIZE] = point

    def rows(self) -> dict[int, bytes]:
        """What the disk does not have, or not all of, by the Unix times at which rows begin."""
        return {start: bytes(row) for start, row in self._rows.items()}

    def written(self, rows: Iterable[int], wall: float) -> None:
        """Those that begin then are on the disk; one that is going on will be written again."""
        for start in [start for start in rows if start != _floor(wall, COARSE)]:
            self._rows.pop(start, None)

    def points(self) -> list[tuple[int, Point]]:
        """The points of ``rows`` and of the step that is going on, by the Unix times at which they begin."""
        found = [each for start, row in self._rows.items() for each in points_of(start, bytes(row))]
        going_on = [(self._step, together(map(sampled, self._open)))] if self._open else []
        return found + going_on


def points_of(start: int, row: bytes) -> list[tuple[int, Point]]:
    """The fine points of a row that begins then; those of which nothing is known are left out."""
    numbered = enumerate(unpacked(row))
    return [(start + number * FINE, point) for number, point in numbered if point != EMPTY]


def by_step(points: Iterable[tuple[int, Point]], seconds: int) -> dict[int, Point]:
    """Points by their times, put together into steps of so many seconds, the oldest first."""
    groups: dict[int, list[Point]] = {}
    for start, point in points:
        groups.setdefault(_floor(start, seconds), []).append(point)
    return {start: together(groups[start]) for start in sorted(groups)}


def coarse(row: bytes) -> bytes:
    """A row of fine points as its one coarse point."""
    return packed([together(unpacked(row))])


def _floor(wall: float, seconds: int) -> int:
    return int(wall // seconds) * seconds
