"""A package of Debian (deb(5), ar(5)): where in the file its content is. Pure."""

from io import SEEK_END
from typing import BinaryIO, NamedTuple

from appliance.imageformat.found import exactly, unreadable

MAGIC = b"!<arch>\n"
_HEADER, _END = 60, b"`\n"
_MOST = 20
"""Members that are looked at; packages have three."""


class Content(NamedTuple):
    """The archive with the files of a package."""

    at: int
    size: int
    """Bytes, as it is packed."""


def content_of(stored: BinaryIO) -> Content:
    """Where its ``data.tar`` is; raises Invalid ``image-format`` for what is no package."""
    end = stored.seek(0, SEEK_END)
    stored.seek(0)
    if exactly(stored, len(MAGIC)) != MAGIC:
        raise unreadable("this is no package of Debian")
    at = len(MAGIC)
    for _ in range(_MOST):
        stored.seek(at)
        name, size = _header(exactly(stored, _HEADER))
        at += _HEADER
        if at + size > end:
            raise unreadable("the package ends too early")
        if name.startswith("data.tar"):
            return Content(at, size)
        at += size + size % 2
    raise unreadable("there is no data.tar in the package")


def _header(octets: bytes) -> tuple[str, int]:
    """Name and bytes of a member."""
    digits = octets[48:58].rstrip(b" ")
    if octets[58:] != _END or not digits.isdigit():
        raise unreadable("the package is damaged")
    return octets[:16].decode("ascii", "replace").rstrip(" ").rstrip("/"), int(digits)
