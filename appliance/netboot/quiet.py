"""A limit on how often the log repeats one complaint. Pure."""


class Quiet:
    """Lets one event through per `interval` seconds, and counts the rest."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._next = float("-inf")
        self._suppressed = 0

    def count(self, now: float) -> int | None:
        """The number of events to report at `now`, this one included; None to stay silent."""
        self._suppressed += 1
        # A clock that was set back, as it is once a board without a battery hears the time, must not silence us.
        if now < self._next <= now + self._interval:
            return None
        self._next = now + self._interval
        count, self._suppressed = self._suppressed, 0
        return count
