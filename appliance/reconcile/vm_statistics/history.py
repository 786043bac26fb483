"""What a VM used in an hour, a day or a week, in columns as charts take them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from appliance.reconcile.vm_statistics.sampling import Known, Live
from appliance.reconcile.vm_statistics.series import by_step, points_of
from appliance.store import vm_statistics as stored
from appliance.store.store import Store
from appliance.vm import VmId
from appliance.vm_figure import Span
from appliance.vm_points import COARSE, DAY, EMPTY, EVERY, FINE, HOUR, WEEK, Point, sampled, unpacked
from appliance.vm_usage import FIGURES

Column = list[float | None]


BACK: Mapping[Span, int] = {Span.HOUR: HOUR, Span.DAY: DAY, Span.WEEK: WEEK}
"""Seconds."""


@dataclass(frozen=True, slots=True)
class History:
    """Columns of equal length, the oldest first; a gap is a point of nothing."""

    time: list[float]
    """Unix time of each point."""
    averages: dict[str, Column]
    """By the names of ``FIGURES``."""
    peaks: dict[str, Column]


class VmHistory:
    """``known`` is what the sampler has in memory."""

    def __init__(self, store: Store, known: Known) -> None:
        self._store, self._known = store, known

    def live(self, vm: VmId) -> Live | None:
        """What it uses now; None where it does not run, or nobody knows."""
        return self._known.live.get(vm)

    async def of(self, vm: VmId, span: Span, at: float, wall: float) -> History:
        """``at`` is the loop's time, ``wall`` the Unix time of the same moment."""
        since, series = wall - BACK[span], self._known.series.get(vm)
        fine = await self._fine(vm, since, wall)
        if span is Span.WEEK:
            rows = await self._store.read(lambda db: stored.read(db, vm, COARSE, since, wall))
            points = {start: unpacked(row)[0] for start, row in rows} | by_step(fine.items(), COARSE)
            return in_columns(with_gaps(points.items(), COARSE))
        if span is Span.DAY or series is None:
            return in_columns(with_gaps(fine.items(), FINE))
        samples = [(wall - (at - when), sampled(figures)) for when, figures in series.recent(at - HOUR)]
        first = samples[0][0] if samples else wall
        earlier = [each for each in fine.items() if each[0] + FINE <= first]
        return in_columns([*with_gaps(earlier, FINE), *with_gaps(samples, 3 * EVERY)])

    async def _fine(self, vm: VmId, since: float, until: float) -> dict[int, Point]:
        """Fine points of a day at most, and what waits to be made coarse."""
        begin = max(since, until - DAY - 2 * COARSE)
        rows = await self._store.read(lambda db: stored.read(db, vm, FINE, begin - COARSE, until))
        found = {start: point for begun, row in rows for start, point in points_of(begun, row)}
        if series := self._known.series.get(vm):
            found.update(series.points())
        return {start: found[start] for start in sorted(found) if begin <= start <= until}


def with_gaps(points: Iterable[tuple[float, Point]], step: float) -> list[tuple[float, Point]]:
    """The same, the oldest first; where more than two steps are missing, a point of nothing ends the line."""
    filled: list[tuple[float, Point]] = []
    for start, point in sorted(points, key=lambda each: each[0]):
        if filled and start - filled[-1][0] > 2 * step:
            filled.append((filled[-1][0] + step, EMPTY))
        filled.append((start, point))
    return filled


def in_columns(points: Sequence[tuple[float, Point]]) -> History:
    """A value, or None, of each point."""
    averages = {name: [_short(each.averages[at]) for _, each in points] for at, name in enumerate(FIGURES)}
    peaks = {name: [_short(each.peaks[at]) for _, each in points] for at, name in enumerate(FIGURES)}
    return History([start for start, _ in points], averages, peaks)


def _short(value: float | None) -> float | None:
    """As exact as it was kept, and no longer than that."""
    return None if value is None else float(f"{value:.4g}")
