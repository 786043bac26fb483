"""Frames of a WebSocket as a server sends them (RFC 6455 section 5.2). Pure.

The library would copy what it sends once more, and mask or compress it if it was asked to: of a screen there is much.
"""

import struct

BINARY = 0x82
"""The last frame of a binary message, which is the first one, too."""


def head(length: int) -> bytes:
    """What goes before so many bytes."""
    if length < 126:
        return bytes((BINARY, length))
    if length < 1 << 16:
        return struct.pack(">BBH", BINARY, 126, length)
    return struct.pack(">BBQ", BINARY, 127, length)
