"""Who belongs to our networks, and how much those get who do not. Pure.

Addresses of datagrams are easily made up. Answers to strangers are rationed by their /24, so that nobody is
flooded through us; now and then one hears "truncated" instead, and a true client comes back over TCP.
"""

import enum
from collections import OrderedDict
from collections.abc import Sequence
from ipaddress import IPv4Network, ip_address

PER_SECOND = 100
BURST = 200
"""Answers for one /24 that is none of ours: in the long run, and at once."""

_MOST_PREFIXES = 4096
_MOST_KNOWN = 20_000
_SLIP = 3
"""One in so many answers over the ration is sent empty and marked TC."""


class Verdict(enum.Enum):
    """What a stranger gets."""

    ANSWER = enum.auto()
    TRUNCATE = enum.auto()
    DROP = enum.auto()


class Strangers:
    """Everybody outside `networks`."""

    def __init__(self, networks: Sequence[IPv4Network], per_second: float = PER_SECOND, burst: float = BURST) -> None:
        self._networks = tuple(networks)
        self._per_second, self._burst = per_second, burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._refused = 0
        self.known: set[str] = set()
        """Addresses of ours that were seen, so that the hot path need not look again; bounded."""

    def __len__(self) -> int:
        return len(self._left) + len(self.known)

    def is_ours(self, source: str) -> bool:
        """Whether the address `source` lies in one of the networks."""
        if source in self.known:
            return True
        address = ip_address(source)
        if not any(address in network for network in self._networks):
            return False
        if len(self.known) >= _MOST_KNOWN:
            self.known.clear()
        self.known.add(source)
        return True

    def verdict(self, source: str, now: float) -> Verdict:
        """What the stranger at `source` gets at `now` (seconds, any clock that does not jump)."""
        prefix = source.rpartition(".")[0]
        left, at = self._left.pop(prefix, (self._burst, now))
        left = min(self._burst, left + max(0.0, now - at) * self._per_second)
        self._left[prefix] = (max(left - 1, 0.0), now)
        if len(self._left) > _MOST_PREFIXES:
            self._left.popitem(last=False)
        if left >= 1:
            return Verdict.ANSWER
        self._refused += 1
        return Verdict.DROP if self._refused % _SLIP else Verdict.TRUNCATE
