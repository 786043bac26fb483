"""The content cut into DATA packets, read in larger pieces than one block. Pure."""

import struct

from appliance.netboot.tftp.content import Content
from appliance.netboot.tftp.packet import Opcode

_PIECE = 1 << 13
"""Bytes that are read at once, or one block where that is more; each transfer holds so much."""
_WIRE_BLOCKS = 0x10000
_DATA = int(Opcode.DATA)  # looking up the member takes longer than all the rest of a header
_pack = struct.Struct("!HH").pack


class Blocks:
    """Gives one packet after the other. Blocks are counted from 1 and never wrap; only the wire has 16 bits."""

    def __init__(self, content: Content, size: int) -> None:
        """``size`` is that of a block, in bytes."""
        self._content, self._size = content, size
        self._piece = max(1, _PIECE // size) * size
        self._plain, self._at = b"", 0
        self.given = 0
        """The number of the last block that was given."""
        self.bytes = 0
        """Of payload, in what was given."""
        self.ended = False
        """Whether that was the last of the content: after it nothing may be asked for."""

    def next(self) -> bytes:
        """The next packet; raises OSError when reading fails, and can then be asked again."""
        size, at = self._size, self._at
        payload = self._plain[at : at + size]
        if not payload:
            self._plain, at = self._content.take(self._piece), 0
            payload = self._plain[:size]
        self._at = at + size
        self.given += 1
        # A short block ends the file; after an exact multiple that is an empty one.
        if len(payload) < size:
            self.ended = True
        self.bytes += len(payload)
        return _pack(_DATA, self.given % _WIRE_BLOCKS) + payload
