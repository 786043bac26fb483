"""How many refusals a source gets: whoever forges an address can then not have us flood it. Pure."""

from collections import Counter

_SECOND = 1.0


class Refusals:
    """Counts what was refused within the last second or less, for each source and for all together."""

    def __init__(self, per_source: int, altogether: int) -> None:
        self._per_source, self._altogether = per_source, altogether
        self._begun = float("-inf")
        self._given: Counter[str] = Counter()
        self._sum = 0

    def may(self, source: str, now: float) -> bool:
        """Whether `source` is told of one more refusal at `now`, which counts then."""
        if not self._begun <= now < self._begun + _SECOND:
            self._begun, self._sum = now, 0
            self._given.clear()
        if self._given[source] >= self._per_source or self._sum >= self._altogether:
            return False
        self._given[source] += 1
        self._sum += 1
        return True
