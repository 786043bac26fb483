"""How many events are told and how many machines are enlisted at the word of anybody on the network. Pure."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

KEYS = 10_000
"""Keys that are remembered at most; the one that was silent longest goes first."""


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float
    held_back: int = 0


class Ration:
    """Lets ``burst`` things of each key through at once, and after that one every ``seconds``."""

    def __init__(self, burst: int, seconds: float) -> None:
        self._burst, self._seconds = float(burst), seconds
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def admit(self, key: Hashable, now: float) -> int | None:
        """How many were held back since the last that was let through; None when this one is held back too."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(self._burst, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > KEYS:
            self._buckets.popitem(last=False)
        bucket.left = min(self._burst, bucket.left + max(0.0, now - bucket.at) / self._seconds)
        bucket.at = now
        if bucket.left < 1.0:
            bucket.held_back += 1
            return None
        bucket.left -= 1.0
        held_back, bucket.held_back = bucket.held_back, 0
        return held_back


def more(text: str, held_back: int) -> str:
    """The text, with how many like it were held back before it."""
    return f"{text} ({held_back} more were not told)" if held_back else text
