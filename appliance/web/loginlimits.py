"""How long somebody who guesses passwords has to wait. Pure.

Delays are kept per user and address together, so that nobody can lock the only administrator out from
elsewhere, and per address, so that trying many users gains nothing. They grow to a bound and never forbid.
"""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

from appliance.errors import ApplianceError

FREE_PER_USER = 4
"""Failures of one user from one address before there is any delay: people mistype."""
FREE_PER_ADDRESS = 20
LONGEST = 60.0
"""Seconds; the most that anybody is ever made to wait."""
FORGET = 900.0
"""Seconds without a failure after which all is forgotten."""
REMEMBERED = 10_000
"""Entries kept at most; the oldest go first."""


class TooOften(ApplianceError):
    """Too many failed log-ins (HTTP 429); ``wait`` is in seconds."""

    def __init__(self, wait: float) -> None:
        self.wait = max(1, round(wait + 0.5))
        hint = f"wait {self.wait} seconds, then try again"
        super().__init__("login-too-often", "too many failed attempts to log in", hint)


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0


class LoginLimits:
    """Counts failures. An attempt counts as failed from its begin on, so that many at once gain nothing."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures)

    def begin(self, user: str, address: str, now: float) -> float:
        """Seconds to wait; 0.0 lets the attempt through and counts it."""
        keys = _keys(user, address)
        wait = max(self._wait(key, free, now) for key, free in keys)
        if wait <= 0:
            for key, _ in keys:
                self._count(key, now)
        return max(wait, 0.0)

    def succeeded(self, user: str, address: str) -> None:
        """The user is who they say: their failures are forgotten, and the address gets this attempt back."""
        (of_user, _), (of_address, _) = _keys(user, address)
        self._failures.pop(of_user, None)
        known = self._failures.get(of_address)
        if known:
            known.count = max(known.count - 1, 0)

    def wait_for_address(self, address: str, now: float) -> float:
        """Seconds that whoever is at this address has to wait, 0.0 for none; nothing is counted."""
        return max(self._wait(_keys("", address)[1][0], FREE_PER_ADDRESS, now), 0.0)

    def failed_from(self, address: str, now: float) -> None:
        """Somebody at this address failed, whoever they said they were."""
        self._count(_keys("", address)[1][0], now)

    def _wait(self, key: str, free: int, now: float) -> float:
        known = self._failures.get(key)
        if known is None or now - known.last > FORGET or known.count < free:
            return 0.0
        known.last = min(known.last, now)  # a clock that was set back: the delay begins anew, and ends
        delay = min(2.0 ** min(known.count - free, 10), LONGEST)
        return known.last + delay - now

    def _count(self, key: str, now: float) -> None:
        known = self._failures.setdefault(key, _Failures())
        known.count = 1 if now - known.last > FORGET else known.count + 1
        known.last = now
        self._failures.move_to_end(key)
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)


def _keys(user: str, address: str) -> tuple[tuple[str, int], tuple[str, int]]:
    network = _network(address)
    return (f"user {network} {user[:80]}", FREE_PER_USER), (f"address {network}", FREE_PER_ADDRESS)


def _network(address: str) -> str:
    """IPv4 addresses singly; IPv6 by /64, which is what one customer has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
