"""When to look at which address again (pure)."""

import heapq
import math
from ipaddress import IPv4Address


class Expiries:
    """The earliest time at which to look at each address again."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []  # addresses as numbers: quicker to compare and to hash
        self._times: dict[int, float] = {}

    def add(self, address: IPv4Address, when: float) -> None:
        """Look at the address at `when`, or before if that was said already: it costs one more look."""
        number = int(address)
        if when < self._times.get(number, math.inf):
            self._times[number] = when
            heapq.heappush(self._heap, (when, number))

    def first(self) -> float | None:
        """The earliest time of all."""
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> list[IPv4Address]:
        """Take out all addresses whose time has come."""
        addresses = []
        while self._heap and self._heap[0][0] <= now:
            when, number = heapq.heappop(self._heap)
            if self._times.get(number) == when:
                del self._times[number]
                addresses.append(IPv4Address(number))
        return addresses
