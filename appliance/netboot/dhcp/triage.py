"""Whom to answer when more datagrams come than can be: who is known to us goes before strangers (pure).

Made-up machines cost their sender nothing, and a hall that is switched on asks for more than anybody can answer. What
is sent is read all the same, so that the kernel's queue never overflows: there nobody can tell a machine from a flood,
nor who only wants what it was offered from who has nothing yet. An offer whose REQUEST is lost was made for nothing,
so that who was offered an address gets it before others are offered one: more to do than can be done costs none of
what can be done.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

AT_ONCE = 64
"""Datagrams that are answered before what came in meanwhile is read: some milliseconds' work."""
FOR_STRANGERS = AT_ONCE // 4
"""Of these, how many are of strangers if there are any: who pretends to be known does not take it all."""
WAITING = 1024
"""Datagrams of strangers that wait, and of the others: racks that are switched on together send so many. Beyond it the
oldest give way, since the senders of the newest still wait.
"""
_CHADDR = slice(28, 34)

T = TypeVar("T")


def claimed_mac(data: bytes) -> str:
    """The hardware address that a datagram speaks of, before anybody has checked it (RFC 2131 section 2)."""
    return data[_CHADDR].hex(":")


class Triage(Generic[T]):
    """What came in and was not answered yet."""

    def __init__(self) -> None:
        self._familiar: deque[T] = deque()
        self._strangers: deque[T] = deque()

    def __len__(self) -> int:
        """How many datagrams wait."""
        return len(self._familiar) + len(self._strangers)

    def put(self, received: Sequence[T], is_familiar: Callable[[T], bool]) -> int:
        """Have these wait too; how many give way to them."""
        if not self and len(received) <= AT_ONCE:  # all are answered now, whoever they are
            self._familiar.extend(received)
            return 0
        for each in received:
            (self._familiar if is_familiar(each) else self._strangers).append(each)
        return _shorten(self._familiar) + _shorten(self._strangers)

    def take(self) -> list[T]:
        """What to answer now: those that are known first, all in the order in which they came in."""
        others = min(len(self._strangers), max(FOR_STRANGERS, AT_ONCE - len(self._familiar)))
        known = min(len(self._familiar), AT_ONCE - others)
        return [*(self._familiar.popleft() for _ in range(known)), *(self._strangers.popleft() for _ in range(others))]

    def clear(self) -> None:
        """Nobody is answered any more."""
        self._familiar.clear()
        self._strangers.clear()


def _shorten(waiting: deque[T]) -> int:
    too_many = max(0, len(waiting) - WAITING)
    for _ in range(too_many):
        waiting.popleft()
    return too_many
