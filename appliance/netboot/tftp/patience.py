"""How long to wait for an answer before a repetition: as long as answers take, twice as long each time. Pure.

RFC 1123 section 4.2.3.2 wants this to adapt; the estimate is that of RFC 6298. A lost datagram then costs a fraction
of a second on a wire that answers within milliseconds, and a client that writes to slow flash is not hurried.
"""

import math

from appliance.netboot.tftp.limits import TftpLimits


class Patience:
    """Knows how long the client took for its answers."""

    def __init__(self, asked: float | None, limits: TftpLimits) -> None:
        """``asked`` is the timeout that the client wants (RFC 2349), in seconds: then nothing adapts."""
        self._least = limits.least_timeout
        self._longest = max(asked or 0, limits.longest_timeout)
        self._fixed = asked is not None
        self._first = asked or limits.first_timeout
        self._asked_at = math.inf
        self._mean = self._deviation = 0.0

    def asked(self, now: float) -> float:
        """Something leaves that wants an answer; when that is overdue."""
        self._asked_at = now
        return now + self._first

    def answered(self, now: float) -> None:
        """The answer to what left last arrived, which was sent only once."""
        took = now - self._asked_at
        if self._fixed or took < 0 or (self._first == self._least and took < self._least / 8):
            return  # a swift answer of a swift client says nothing new
        if self._mean:
            self._deviation += (abs(took - self._mean) - self._deviation) / 4
            self._mean += (took - self._mean) / 8
        else:
            self._mean, self._deviation = took, took / 2
        self._first = min(max(self._mean + 4 * self._deviation, self._least), self._longest)

    def pause(self, tries: int) -> float:
        """Seconds to wait after so many repetitions."""
        return float(min(self._first * 2**tries, self._longest))
