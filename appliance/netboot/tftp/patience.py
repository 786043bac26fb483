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
        self.first = asked or limits.first_timeout
        """Seconds before the first repetition."""
        self.swift = -math.inf
        """Seconds; answers that took no longer say nothing new, and need not be told of."""
        self._mean = self._deviation = 0.0

    def answered(self, took: float) -> None:
        """What was sent only once was answered after so many seconds."""
        if self._fixed:
            self.swift = math.inf
            return
        if self._mean:
            self._deviation += (abs(took - self._mean) - self._deviation) / 4
            self._mean += (took - self._mean) / 8
        else:
            self._mean, self._deviation = took, took / 2
        self.first = min(max(self._mean + 4 * self._deviation, self._least), self._longest)
        self.swift = self._least / 8 if self.first == self._least else -math.inf

    def pause(self, tries: int) -> float:
        """Seconds to wait after so many repetitions."""
        return float(min(self.first * 2**tries, self._longest))
