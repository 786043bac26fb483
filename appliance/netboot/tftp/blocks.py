"""The content cut into DATA packets, some blocks at a time. Pure."""

import struct
from collections.abc import Iterator
from itertools import chain
from operator import length_hint

from appliance.netboot.tftp.content import Content
from appliance.netboot.tftp.packet import Opcode
from appliance.netboot.tftp.pieces import Piece, Pieces, Step

_PIECE = 1 << 14
"""Bytes that are read at once, or one block where that is more; each transfer holds so much."""
_MOST_BLOCKS = 16
"""The same in blocks: a client that asks for tiny ones, and may never answer, has no more made than that."""
_WIRE_BLOCKS = 0x10000
_DATA, _ACK = int(Opcode.DATA), int(Opcode.ACK)  # looking up the members takes longer than all the rest of a header
_pack = struct.Struct("!HH").pack


class Blocks:
    """Gives one packet after the other. Blocks are counted from 1 and never wrap; only the wire has 16 bits."""

    def __init__(self, content: Content, size: int, pieces: Pieces | None = None) -> None:
        """``size`` is that of a block, in bytes; ``pieces`` are shared with the other transfers."""
        self._cutter = _Cutter(content, size, pieces)
        self.ahead: Iterator[Step] = iter(())
        """All that follows, for who wants its ACKs as well. It stops short where reading fails, and `next` says why."""

    @property
    def payload(self) -> int:
        """Bytes of the content in what was given or is ready."""
        return self._cutter.payload

    @property
    def ended(self) -> bool:
        """Whether the last of the content was given: after it nothing may be asked for."""
        return self._cutter.whole and not length_hint(self._cutter.ready)

    def next(self) -> bytes:
        """The next packet; raises OSError when reading fails, and can then be asked again."""
        step = next(self.ahead, None)
        if step is None:
            self._cutter.read_on()
            self.ahead = chain.from_iterable(self._cutter.to_come())
            step = next(self.ahead)
        return step[0]


class _Cutter:
    """Reads and cuts. What it makes holds on to it, and it to nothing of that: an ended transfer is gone at once."""

    def __init__(self, content: Content, size: int, pieces: Pieces | None) -> None:
        self._content, self._size, self._pieces = content, size, pieces
        self._piece = size * max(1, min(_PIECE // size, _MOST_BLOCKS))
        self._made, self.whole = 0, False
        self.ready: Iterator[Step] = iter(())
        self.payload = 0

    def to_come(self) -> Iterator[Iterator[Step]]:
        """What is ready, and what can be read after it, until that fails."""
        yield self.ready
        while not self.whole:
            try:
                self.read_on()
            except OSError:
                return
            yield self.ready

    def read_on(self) -> None:
        """Make the next piece ready; raises OSError."""
        piece = self._shared() or self._cut(self._content.take(self._piece))
        self.ready, self.whole = iter(piece.steps), piece.size < self._piece
        self._made += len(piece.steps)
        self.payload += piece.size

    def _shared(self) -> Piece | None:
        """What another transfer has had cut, or will find; None where nobody else can have the same content."""
        if self._pieces is None or self._content.key is None:
            return None
        key = (self._content.key, self._size, self._made)
        if piece := self._pieces.get(key):
            self._content.skip(piece.size)
            return piece
        piece = self._cut(self._content.take(self._piece))
        self._pieces.keep(key, piece)
        return piece

    def _cut(self, plain: bytes) -> Piece:
        # A short block ends the file; after an exact multiple that is an empty one.
        starts = range(0, len(plain) + (len(plain) < self._piece), self._size)
        numbered = enumerate(starts, self._made + 1)
        return Piece(tuple(_step(number, plain[at : at + self._size]) for number, at in numbered), len(plain))


def _step(number: int, payload: bytes) -> Step:
    wire = number % _WIRE_BLOCKS
    return _pack(_DATA, wire) + payload, _pack(_ACK, wire)
