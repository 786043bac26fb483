"""At most one report a second of the same thing (pure)."""

from collections.abc import Hashable

INTERVAL_SECONDS = 1.0


class RateLimit:
    """Counts what is held back, so that nothing goes unmentioned."""

    def __init__(self) -> None:
        self._last: dict[Hashable, float] = {}
        self._held_back: dict[Hashable, int] = {}

    def admit(self, key: Hashable, now: float) -> int | None:
        """How many were held back since the last report; None when this one must be held back too.

        Keys come from our own configuration, never from the network: they are kept for ever.
        """
        if now - self._last.get(key, float("-inf")) < INTERVAL_SECONDS:
            self._held_back[key] = self._held_back.get(key, 0) + 1
            return None
        self._last[key] = now
        return self._held_back.pop(key, 0)
