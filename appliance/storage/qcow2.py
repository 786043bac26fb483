"""The header of QEMU's image format, read without believing it. Pure.

Field by field as in QEMU's docs/interop/qcow2: it says how large the disk is, and which files it takes content from.
"""

import struct
from dataclasses import dataclass

MAGIC = b"QFI\xfb"
HEADER = 4096
"""Bytes that are enough to read what is asked here: the name of another file stands in the first cluster."""
_FIXED = struct.Struct(">4sIQIIQI")
_VERSIONS = (2, 3)
_INCOMPATIBLE_AT = 72
_OUTSIDE_DATA = 1 << 2
"""Incompatible feature: the content is in a file of its own, which the header names."""
_CORRUPT = 1 << 1
_LONGEST_NAME = 1023


@dataclass(frozen=True, slots=True)
class Header:
    """What an image says of itself."""

    size: int
    """Bytes of the disk in it."""
    backing: str
    """The file that has what is not written here; empty for none."""


def read(begin: bytes) -> Header | None:
    """From the first bytes of a file, at most HEADER; None for what is no image that we would use.

    That is: anything else, an image that is encrypted, marked as corrupt, or keeps its content in another file.
    """
    if len(begin) < _FIXED.size + 4:
        return None
    magic, version, name_at, name_size, _, size, encrypted = _FIXED.unpack_from(begin)
    if magic != MAGIC or version not in _VERSIONS or encrypted or _refused(begin, version):
        return None
    if not name_at:
        return Header(size, "")
    if name_size > _LONGEST_NAME or name_at + name_size > len(begin):
        return None
    return Header(size, begin[name_at : name_at + name_size].decode(errors="replace"))


def _refused(begin: bytes, version: int) -> bool:
    if version == 2:
        return False
    features = begin[_INCOMPATIBLE_AT : _INCOMPATIBLE_AT + 8]
    return len(features) < 8 or bool(int.from_bytes(features) & (_OUTSIDE_DATA | _CORRUPT))
