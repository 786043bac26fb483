"""A picture that a host sends, as a PNG that browsers show and that is bounded, whatever a VM's system draws. Pure.

QEMU has sent PNG since 7.1, which goes on as it is. Before it sent PPM, three bytes for each pixel: that is halved
until it is small, row by row as it comes, so that no more than a few rows of it are ever in memory.
"""

import re
import struct
import zlib
from typing import Protocol

from appliance.errors import ApplianceError

SMALL = 800
"""Pixels that a picture which we make has at most, in either direction."""
LARGEST = 8 << 20
"""Bytes of one that comes as PNG: screens of text take some thousand, those full of photographs some million."""
MOST_PIXELS = 16384
"""In either direction."""
_PNG = b"\x89PNG\r\n\x1a\n"
_END = b"IEND\xaeB`\x82"
_HEADER = re.compile(rb"P6\s+(\d{1,6})\s+(\d{1,6})\s+255\s")
_LONGEST_HEADER = 64


class Picture(Protocol):
    """What takes a picture piece by piece."""

    def feed(self, piece: bytes) -> None:
        """The next bytes, of any length; raises ApplianceError ``screenshot-large``, ``screenshot-unreadable``."""
        ...

    def png(self) -> bytes:
        """All of it; raises ApplianceError ``screenshot-unreadable`` where it is not whole."""
        ...


class Png:
    """One that needs nothing but a look."""

    def __init__(self) -> None:
        self._content = bytearray()

    def feed(self, piece: bytes) -> None:
        """Kept."""
        if len(self._content) + len(piece) > LARGEST:
            raise _large(f"it takes more than {LARGEST >> 20} MiB")
        self._content += piece

    def png(self) -> bytes:
        """As it came."""
        content = bytes(self._content)
        if not content.startswith(_PNG) or not content.endswith(_END) or len(content) < 45:
            raise _unreadable("its PNG is not whole")
        _check_size(*struct.unpack_from(">II", content, 16))
        return content


class Ppm:
    """One that is made small (PPM, kind P6)."""

    def __init__(self) -> None:
        self._rest = b""
        self._width = self._height = self._halvings = 0
        self._rows = 0
        self._held: list[bytes | None] = []
        self._packer = zlib.compressobj()
        self._packed: list[bytes] = []

    def feed(self, piece: bytes) -> None:
        """Every row that is whole by now is done with."""
        self._rest += piece
        if not self._width and not self._begin():
            return
        size, at = 3 * self._width, 0
        while self._rows < self._height and len(self._rest) - at >= size:
            self._take(self._rest[at : at + size], 0)
            self._rows += 1
            at += size
        self._rest = self._rest[at:] if self._rows < self._height else b""

    def png(self) -> bytes:
        """In colours of eight bits, without filters."""
        if not self._width or self._rows < self._height:
            raise _unreadable("it ends too early")
        size = struct.pack(">IIBBBBB", self._width >> self._halvings, self._height >> self._halvings, 8, 2, 0, 0, 0)
        content = b"".join(self._packed) + self._packer.flush()
        return _PNG + _chunk(b"IHDR", size) + _chunk(b"IDAT", content) + _chunk(b"IEND", b"")

    def _begin(self) -> bool:
        if (found := _HEADER.match(self._rest)) is None:
            if len(self._rest) >= _LONGEST_HEADER or not b"P6".startswith(self._rest[:2]):
                raise _unreadable("it is no PPM")
            return False
        width, height = int(found[1]), int(found[2])
        _check_size(width, height)
        while max(width, height) >> self._halvings > SMALL:
            self._halvings += 1
        if not min(width, height) >> self._halvings:
            raise _unreadable(f"it has {width} x {height} pixels")
        self._width, self._height = width, height
        self._held = [None] * self._halvings
        self._rest = self._rest[found.end() :]
        return True

    def _take(self, row: bytes, halved: int) -> None:
        """Two rows become one of half their length, as often as it takes."""
        if halved == self._halvings:
            self._packed.append(self._packer.compress(b"\0" + row))
            return
        narrow, above = _narrowed(row), self._held[halved]
        self._held[halved] = narrow if above is None else None
        if above is not None:
            self._take(_mean(above, narrow), halved + 1)


def _narrowed(row: bytes) -> bytes:
    """Each two pixels beside each other as one; an odd one at the end is left out."""
    pixels = len(row) // 6
    even, odd = bytearray(3 * pixels), bytearray(3 * pixels)
    for colour in range(3):
        even[colour::3] = row[colour : 6 * pixels : 6]
        odd[colour::3] = row[colour + 3 : 6 * pixels : 6]
    return _mean(even, odd)


def _mean(some: bytes | bytearray, others: bytes | bytearray) -> bytes:
    """Byte by byte, all at once: a long row is one number, and no byte of a mean carries into the next."""
    left, right = int.from_bytes(some, "little"), int.from_bytes(others, "little")
    mask = int.from_bytes(b"\xfe" * len(some), "little")
    return ((left & right) + (((left ^ right) & mask) >> 1)).to_bytes(len(some), "little")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _check_size(width: int, height: int) -> None:
    if not width or not height:
        raise _unreadable("it has no pixels")
    if max(width, height) > MOST_PIXELS:
        raise _large(f"it has {width} x {height} pixels")


def _large(why: str) -> ApplianceError:
    hint = "use the VM's console, or a lower resolution in it"
    return ApplianceError("screenshot-large", f"the picture of this screen is too large: {why}", hint)


def _unreadable(why: str) -> ApplianceError:
    return ApplianceError("screenshot-unreadable", f"the host sent no picture that we can read: {why}", "try again")
