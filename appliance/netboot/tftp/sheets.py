"""The content cut into DATA packets that lie one behind the other, so that a whole window is one slice. Pure.

The kernel takes such a slice in one call and cuts it itself (UDP segmentation). Only what is on its way is kept:
at most some 64 kB for each transfer, whatever the size of the file.
"""

import struct
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from appliance.netboot.tftp.content import Content
from appliance.netboot.tftp.packet import Opcode

HEADER = 4
"""Bytes before the payload of a DATA packet."""
_SHEET_BYTES = 1 << 15
_WIRE_BLOCKS = 0x10000
_pack_header = struct.Struct("!HH").pack


class Burst(NamedTuple):
    """Datagrams that leave together."""

    data: bytes | memoryview
    size: int
    """Bytes of each datagram in ``data``; only the last may be shorter."""

    def datagrams(self) -> Iterator[bytes]:
        """One by one."""
        for start in range(0, len(self.data), self.size):
            yield bytes(self.data[start : start + self.size])


class Sheets:
    """Blocks are counted from 1 and never wrap; only the wire has 16 bits."""

    def __init__(self, content: Content, block_size: int) -> None:
        self._content, self._block_size = content, block_size
        self._packet = HEADER + block_size
        self._per_sheet = max(1, _SHEET_BYTES // self._packet)
        self._kept: deque[memoryview] = deque()
        self._start = 0
        """Blocks before those that are kept."""
        self.bytes = 0
        """Of payload, in what was read up to now."""
        self.last: int | None = None
        """Number of the last block, once it was read."""

    def blocks(self, first: int, count: int) -> list[Burst]:
        """The packets of so many blocks, fewer at the end of the content; raises OSError when reading fails.

        Blocks before ``first`` are forgotten and cannot be had again.
        """
        index = first - 1 - self._start
        while index >= self._per_sheet:
            self._drop()
            index -= self._per_sheet
        found: list[Burst] = []
        number = 0
        while count > 0 and (sheet := self._sheet(number)):
            start = index * self._packet
            data = sheet[start : start + count * self._packet]
            found.append(Burst(data, self._packet))
            count -= -(-len(data) // self._packet)
            index, number = 0, number + 1
        return found

    def _sheet(self, number: int) -> memoryview | None:
        """One of those kept or the next one; None behind the last."""
        if number < len(self._kept):
            return self._kept[number]
        if self.last is not None:
            return None
        self._kept.append(self._lay_out(self._start + number * self._per_sheet + 1))
        return self._kept[number]

    def _drop(self) -> None:
        self._kept.popleft()
        self._start += self._per_sheet

    def _lay_out(self, first: int) -> memoryview:
        size = self._block_size
        plain = self._content.take(size * self._per_sheet)
        self.bytes += len(plain)
        # A short block ends the file; after an exact multiple that is an empty one.
        blocks = self._per_sheet
        if len(plain) < size * self._per_sheet:
            blocks = len(plain) // size + 1
            self.last = first + blocks - 1
        parts = []
        for number in range(blocks):
            parts.append(_pack_header(Opcode.DATA, (first + number) % _WIRE_BLOCKS))
            parts.append(plain[number * size : (number + 1) * size])
        return memoryview(b"".join(parts))
