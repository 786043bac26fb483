"""How many transfers run, for whom, and whether one more may start. Pure."""

from collections import Counter

from appliance.netboot.tftp.limits import TftpLimits


class Census:
    """Counts transfers per source address against the limits."""

    def __init__(self, limits: TftpLimits) -> None:
        self._limits = limits
        self._all = 0
        self._running: Counter[str] = Counter()
        self._unanswered: Counter[str] = Counter()

    @property
    def full(self) -> bool:
        """Whether nobody may start one more."""
        return self._all >= self._limits.transfers

    def refusal(self, source: str) -> str | None:
        """Why `source` may not start one more transfer now, or None."""
        if reason := self.own_refusal(source):
            return reason
        return f"all {self._limits.transfers} transfers are taken" if self.full else None

    def own_refusal(self, source: str) -> str | None:
        """The same as far as `source` alone is to blame."""
        if self._running[source] >= self._limits.transfers_per_source:
            return f"{source} has {self._limits.transfers_per_source} transfers already"
        if self._unanswered[source] >= self._limits.unanswered_per_source:
            return f"{source} has not answered {self._limits.unanswered_per_source} transfers"
        return None

    def begin(self, source: str) -> None:
        """A transfer of `source` started; nobody has answered it yet."""
        self._all += 1
        self._running[source] += 1
        self._unanswered[source] += 1

    def answered(self, source: str) -> None:
        """A transfer of `source` had its first answer."""
        _decrease(self._unanswered, source)

    def end(self, source: str, *, answered: bool) -> None:
        """A transfer of `source` is over; `answered` says if `answered()` was told of it."""
        self._all -= 1
        _decrease(self._running, source)
        if not answered:
            _decrease(self._unanswered, source)


def _decrease(counter: Counter[str], source: str) -> None:
    counter[source] -= 1
    if not counter[source]:
        del counter[source]  # or every address ever seen would stay here
