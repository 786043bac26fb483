"""Pieces of files, cut into packets already: machines that boot together ask for the same ones. Pure."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

Step = tuple[bytes, bytes]
"""A DATA packet, and the datagram that acknowledges it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some blocks in a row."""

    steps: tuple[Step, ...]
    size: int
    """Bytes of payload in all of them."""


class Pieces:
    """Keeps those that were asked for last, so that most transfers neither read nor cut what another had just before.

    A key has to tell everything that the packets depend on.
    """

    def __init__(self, most: int) -> None:
        """``most``: bytes of payload that are kept."""
        self._most, self._size = most, 0
        self._wanted = False
        self._kept: OrderedDict[Hashable, Piece] = OrderedDict()

    def get(self, key: Hashable) -> Piece | None:
        """The one with this key, where it is still there."""
        if (piece := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
        return piece

    def keep(self, key: Hashable, piece: Piece) -> None:
        """Have a new one ready for others, if there are any; those that nobody asked for since longest go."""
        if not self._wanted:
            return
        self._kept[key] = piece
        self._size += piece.size
        while self._size > self._most:
            _, oldest = self._kept.popitem(last=False)
            self._size -= oldest.size

    def expect(self, transfers: int) -> None:
        """So many run from now on; one alone has no use for what is kept, and is faster in memory that it knows."""
        self._wanted = transfers > 1
        if not self._wanted:
            self._kept.clear()
            self._size = 0
