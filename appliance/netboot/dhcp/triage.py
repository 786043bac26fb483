"""Whom to answer when more datagrams come than can be: who is known to us goes before strangers (pure).

Made-up machines cost their sender nothing. What they send is read all the same, so that the kernel's queue never
overflows with it: there nobody can tell a machine from a flood.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

AT_ONCE = 256
"""Datagrams in one reading that are no flood: racks that are switched on together send so many."""
STRANGERS = 64
"""In a flood, how many of strangers are answered: the newest, whose senders still wait."""
FAMILIAR = 256
"""The same of those that claim to be known."""
_CHADDR = slice(28, 34)

T = TypeVar("T")


def claimed_mac(data: bytes) -> str:
    """The hardware address that a datagram speaks of, before anybody has checked it (RFC 2131 section 2)."""
    return data[_CHADDR].hex(":")


class Triage:
    """Chooses among what was received at once. One reading that is too full is a burst, the next one is a flood."""

    def __init__(self) -> None:
        self._full = False

    def admitted(
        self, received: Sequence[T], data: Callable[[T], bytes], familiar: Callable[[str], bool]
    ) -> Sequence[T]:
        """What to answer, in the order in which it came in; ``familiar`` is asked with MAC addresses."""
        before, self._full = self._full, len(received) > AT_ONCE
        if not (before and self._full):
            return received
        known: list[int] = []
        strangers: list[int] = []
        for number, each in enumerate(received):
            (known if familiar(claimed_mac(data(each))) else strangers).append(number)
        return [received[number] for number in sorted(known[-FAMILIAR:] + strangers[-STRANGERS:])]
