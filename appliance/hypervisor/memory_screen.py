"""A screen that is nothing but values: the server's side of RFB (RFC 6143), as far as a viewer needs it. Pure.

It shows one colour, which every key that is pressed changes.
"""

import struct
from collections.abc import Callable

WIDTH, HEIGHT = 320, 200
VERSION = b"RFB 003.008\n"
NONE = 1
"""The security type without a password."""
SHIFTS = (16, 8, 0)
"""Of red, green and blue, where the viewer says nothing else."""


class Screen:
    """One viewer's connection; bytes in, bytes out."""

    def __init__(self, name: str) -> None:
        self._name = name.encode()
        self._unread = b""
        self._next: Callable[[], bytes | None] = self._version
        self._shifts = SHIFTS
        self._colour = (32, 96, 160)
        self._asked = False
        self.keys: list[int] = []
        """Keysyms that were pressed."""
        self.pasted = ""
        """What a viewer put into the clipboard last."""

    def greets(self) -> bytes:
        """The version (section 7.1.1)."""
        return VERSION

    def hears(self, data: bytes) -> bytes:
        """Everything that is to be said now."""
        self._unread += data
        said = b""
        while (answer := self._next()) is not None:
            said += answer
        return said

    def _take(self, size: int) -> bytes | None:
        """That many bytes, once they are there."""
        if len(self._unread) < size:
            return None
        taken, self._unread = self._unread[:size], self._unread[size:]
        return taken

    def _version(self) -> bytes | None:
        if self._take(len(VERSION)) is None:
            return None
        self._next = self._security
        return bytes([1, NONE])

    def _security(self) -> bytes | None:
        if self._take(1) is None:
            return None
        self._next = self._init
        return struct.pack(">I", 0)

    def _init(self) -> bytes | None:
        """Section 7.3; whether the viewer shares makes no difference, as each has a screen of their own."""
        if self._take(1) is None:
            return None
        self._next = self._message
        form = struct.pack(">BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, *SHIFTS)
        return struct.pack(">HH", WIDTH, HEIGHT) + form + struct.pack(">I", len(self._name)) + self._name

    def _message(self) -> bytes | None:
        """Messages of a viewer (section 7.5), each once it is whole."""
        if not self._unread or (size := self._size()) is None or (message := self._take(size)) is None:
            return None
        match message[0]:
            case 0:
                self._shifts = (message[14], message[15], message[16])
            case 3:
                self._asked = True
                return b"" if message[1] else self._shown()
            case 4 if message[1]:
                return self._pressed(struct.unpack(">I", message[4:])[0])
            case 6:
                self.pasted = message[8:].decode("latin-1")
        return b""

    def _size(self) -> int | None:
        """Of the message that begins here; None while that cannot be told yet."""
        fixed = {0: 20, 3: 10, 4: 8, 5: 6}.get(self._unread[0])
        if fixed is not None:
            return fixed
        if self._unread[0] == 2 and len(self._unread) >= 4:
            count: int = struct.unpack(">H", self._unread[2:4])[0]
            return 4 + 4 * count
        if self._unread[0] == 6 and len(self._unread) >= 8:
            length: int = struct.unpack(">i", self._unread[4:8])[0]
            return 8 + abs(length)  # below zero where the viewer speaks of formats
        return None if self._unread[0] in (2, 6) else len(self._unread)

    def _pressed(self, key: int) -> bytes:
        self.keys.append(key)
        self._colour = (key * 37 % 256, key * 91 % 256, key * 53 % 256)
        return self._shown() if self._asked else b""

    def _shown(self) -> bytes:
        """The whole of it as one raw rectangle (section 7.7.1)."""
        self._asked = False
        value = sum(part << shift for part, shift in zip(self._colour, self._shifts, strict=True))
        head = struct.pack(">BxHHHHHi", 0, 1, 0, 0, WIDTH, HEIGHT, 0)
        return head + struct.pack("<I", value) * (WIDTH * HEIGHT)
