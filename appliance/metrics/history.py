"""The last day in numbers, for the charts of the console: bounded, in memory, gone with the daemon."""

import asyncio
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

EVERY = 10.0
"""Seconds between two samples."""
KEPT = 8640
"""Samples: a day. With seven columns of them this takes a quarter of a megabyte."""
POINTS = 720
"""Points of one answer at most; more are not seen on any screen."""

Columns = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a column comes from. ``rate``: the value only grows, and its growth per second is kept."""

    read: Callable[[], float]
    rate: bool = False
    worst: bool = False
    """Several samples become one point: their highest, not their mean."""


class History:
    """One ring per column. Times are those of the loop's clock, which never jumps."""

    def __init__(self, sources: Mapping[str, Source] | None = None, kept: int = KEPT) -> None:
        self._sources = dict(sources or {})
        self._kept = kept
        self._times = array("d", bytes(8 * kept))
        self._rings = {name: array("f", bytes(4 * kept)) for name in self._sources}
        self._last: dict[str, float] = {}
        self._sampled = 0.0
        self._count = 0

    async def run(self) -> None:
        """Sample until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self.sample(loop.time())
            await asyncio.sleep(EVERY)

    def sample(self, now: float) -> None:
        """Take every column's value; the first call only notes where the growing ones stand."""
        values = {name: source.read() for name, source in self._sources.items()}
        if self._last and now > self._sampled:
            self._keep(values, now)
        self._last, self._sampled = values, now

    def _keep(self, values: Mapping[str, float], now: float) -> None:
        at = self._count % self._kept
        self._times[at] = now
        for name, value in values.items():
            grown = (value - self._last[name]) / (now - self._sampled)
            self._rings[name][at] = grown if self._sources[name].rate else value
        self._count += 1

    def columns(self, seconds: float, now: float, wall: float, points: int = POINTS) -> tuple[list[float], Columns]:
        """Unix times, oldest first, and the columns of the last so many seconds.

        ``now`` is the loop's time, ``wall`` the Unix time of the same moment.
        """
        chosen = [at for at in self._positions() if self._times[at] > now - seconds]
        groups = _groups(chosen, points)
        times = [wall - (now - self._times[group[-1]]) for group in groups]
        return times, {name: [self._point(name, group) for group in groups] for name in self._sources}

    def _positions(self) -> Sequence[int]:
        """Where the samples stand, oldest first."""
        first = max(0, self._count - self._kept)
        return [number % self._kept for number in range(first, self._count)]

    def _point(self, name: str, group: Sequence[int]) -> float:
        values = [self._rings[name][at] for at in group]
        return max(values) if self._sources[name].worst else sum(values) / len(values)


def _groups(chosen: Sequence[int], points: int) -> list[Sequence[int]]:
    """Neighbours that become one point, so that there are not more than ``points``."""
    size = -(-len(chosen) // points)
    return [chosen[start : start + size] for start in range(0, len(chosen), size)] if chosen else []
