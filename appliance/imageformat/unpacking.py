"""Packed streams, read in pieces: no more is unpacked than is asked for, and none that swells beyond reason. Pure."""

import lzma
import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol

from appliance.errors import Invalid
from appliance.imageformat.found import unreadable

STEP = 1 << 18
"""Bytes that are read, and at most unpacked, at once."""
XZ_MEMORY = 256 << 20
"""Bytes that unpacking xz may take; ``xz -9`` takes 65 MiB (xz(1))."""
MOST_TIMES = 200
"""How often larger than its file something may be, once it is larger than ``GRACE``."""
GRACE = 1 << 30
"""Bytes that anything may unpack to: a small file of little but zeros is no attack."""
MOST_BYTES = 1 << 42
"""4 TiB: no archive of a system is larger."""


class Readable(Protocol):
    """A stream that gives at most so many bytes, and none at its end."""

    def read(self, count: int, /) -> bytes:
        """The next bytes."""
        ...


class Limited:
    """Counts what comes out; raises Invalid ``image-bomb`` where that is out of all proportion to what went in."""

    def __init__(self, stream: Readable, stored_size: int, told: Callable[[int], object] = bool) -> None:
        """``stored_size``: bytes of the file; ``told`` hears how many bytes came out by now, and may raise."""
        self._stream, self._stored, self._told = stream, stored_size, told
        self.at = 0

    def read(self, count: int) -> bytes:
        """At most so many bytes, never more than ``STEP``."""
        octets = self._stream.read(min(count, STEP))
        self.at += len(octets)
        self._told(self.at)
        if self.at > MOST_BYTES or (self.at > GRACE and self.at > self._stored * MOST_TIMES):
            text = f"it unpacks to more than {self.at >> 20} MiB from a file of {self._stored} bytes"
            raise Invalid("image-bomb", text, "pack what it is to hold, and nothing that swells like this", "file")
        return octets

    def exactly(self, count: int) -> bytes:
        """So many bytes; raises Invalid where they do not come. For small counts: they are held in memory."""
        found = b""
        while len(found) < count:
            octets = self.read(count - len(found))
            if not octets:
                raise unreadable("the archive ends too early")
            found += octets
        return found

    def skip(self, count: int) -> None:
        """Leave so many bytes out; raises Invalid where they do not come."""
        while count:
            octets = self.read(count)
            if not octets:
                raise unreadable("the archive ends too early")
            count -= len(octets)


class Part:
    """So many bytes of a file, from where it stands."""

    def __init__(self, stored: BinaryIO, size: int) -> None:
        self._stored, self._left = stored, size

    def read(self, count: int) -> bytes:
        """At most so many bytes; none at the end."""
        octets = self._stored.read(min(count, self._left))
        self._left -= len(octets)
        return octets


class Gzip:
    """RFC 1952: one member after the other."""

    def __init__(self, stored: Readable) -> None:
        self._stored, self._left, self._member = stored, b"", zlib.decompressobj(31)

    def read(self, count: int) -> bytes:
        """At most so many bytes; none at the end."""
        while True:
            packed = self._left or self._stored.read(STEP)
            try:
                octets = self._member.decompress(packed, count)
            except zlib.error as error:
                raise unreadable(f"it cannot be unpacked: {error}") from error
            self._left = self._member.unused_data or self._member.unconsumed_tail
            if self._member.eof:
                self._member = zlib.decompressobj(31)
                self._left = self._left.lstrip(b"\0")  # gzip(1) pads members of tapes
            if octets or not packed:
                return octets


class Xz:
    """The .xz file format: one stream after the other, with padding between them."""

    def __init__(self, stored: Readable) -> None:
        self._stored, self._left, self._stream = stored, b"", _xz_stream()

    def read(self, count: int) -> bytes:
        """At most so many bytes; none at the end."""
        while True:
            packed = (self._left or self._stored.read(STEP)) if self._stream.needs_input else b""
            ended = self._stream.needs_input and not packed
            try:
                octets = self._stream.decompress(packed, count)
            except lzma.LZMAError as error:
                raise unreadable(f"it cannot be unpacked: {error}") from error
            self._left = b"" if packed else self._left
            if self._stream.eof:
                self._left, self._stream = self._stream.unused_data.lstrip(b"\0"), _xz_stream()
            if octets or ended:
                return octets


def _xz_stream() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
