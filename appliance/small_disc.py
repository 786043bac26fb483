"""A disc of a few small files: ISO 9660 (ECMA-119) with Joliet, by which names are as they are given. Pure.

Linux, the BSDs and Windows read names from Joliet's own descriptor; firmware and old readers see the plain ones.
"""

import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

SECTOR = 2048
_SYSTEM_AREA, _PRIMARY, _JOLIET, _END = 16, 16, 17, 18
_TABLES, _PLAIN_ROOT, _JOLIET_ROOT, _FILES = 19, 23, 24, 25
"""Sectors: four tables of paths (each order of bytes, for each root), the two root directories, the files."""
_STANDARD = b"CD001\x01"
_LEVEL_3 = b"%/E"
"""Joliet's escape sequence for UCS-2, level 3."""
LONGEST_NAME, LONGEST_LABEL = 28, 16
"""Characters; Joliet has room for 64 in a name, and directories here are one sector."""
_DIRECTORY = 2


def small_disc(label: str, files: Mapping[str, bytes], made: float) -> bytes:
    """The disc ``label`` with these files by their names, in its root; ``made`` is a Unix time.

    Raises ValueError for labels and names that it cannot have, and for more files than a sector's directory names.
    """
    _check(label, files)
    at, places = _FILES, []
    for content in files.values():
        places.append((at, len(content)))
        at += _sectors(len(content))
    date = datetime.fromtimestamp(made, UTC)
    plain = [_plain(name) for name in files]
    wide = [name.encode("utf-16-be") for name in files]
    parts = [
        bytes(_SYSTEM_AREA * SECTOR),
        _descriptor(1, label.upper().encode(), " ", b"", _TABLES, _PLAIN_ROOT, at, date),
        _descriptor(2, label.encode("utf-16-be"), "\0 ", _LEVEL_3, _TABLES + 2, _JOLIET_ROOT, at, date),
        (b"\xff" + _STANDARD).ljust(SECTOR, b"\0"),
        *(_path_table(root, order).ljust(SECTOR, b"\0") for root in (_PLAIN_ROOT, _JOLIET_ROOT) for order in "<>"),
        _directory(_PLAIN_ROOT, plain, places, date),
        _directory(_JOLIET_ROOT, wide, places, date),
        *(content.ljust(_sectors(len(content)) * SECTOR, b"\0") for content in files.values()),
    ]
    return b"".join(parts)


def _check(label: str, files: Mapping[str, bytes]) -> None:
    letters = label.replace("_", "")
    if not (0 < len(label) <= LONGEST_LABEL and letters.isascii() and letters.isalnum()):
        raise ValueError(f"a disc cannot be called {label[:40]!r}")
    for name in files:
        bare = name.replace("-", "").replace("_", "").replace(".", "")
        if not (len(name) <= LONGEST_NAME and bare.isascii() and bare.isalnum()):
            raise ValueError(f"a file on a disc cannot be called {name[:40]!r}")
    if len({_plain(name) for name in files}) < len(files):
        raise ValueError("two files would have the same plain name")


def _plain(name: str) -> bytes:
    """In capitals, digits and underscores (ECMA-119 section 7.4.1), with one dot before what says its kind."""
    stem, _, kind = name.rpartition(".") if "." in name else (name, "", "")
    words = ("".join(each if each.isalnum() else "_" for each in part.upper()) for part in (stem, kind))
    return (".".join(words) + ";1").encode()


def _sectors(size: int) -> int:
    """An empty file has one too: some readers take the place 0 for a mistake."""
    return max(1, -(-size // SECTOR))


def _both(number: int, code: str = "I") -> bytes:
    """A number in both orders of bytes (ECMA-119 sections 7.2.3 and 7.3.3)."""
    return struct.pack(f"<{code}", number) + struct.pack(f">{code}", number)


def _record(name: bytes, at: int, size: int, date: datetime, flags: int = 0) -> bytes:
    """Of a directory (ECMA-119 section 9.1)."""
    when = bytes([date.year - 1900, date.month, date.day, date.hour, date.minute, date.second, 0])
    body = b"\0" + _both(at) + _both(size) + when + bytes([flags, 0, 0]) + _both(1, "H") + bytes([len(name)]) + name
    body += bytes((len(body) + 1) % 2)
    return bytes([len(body) + 1]) + body


def _directory(root: int, names: Sequence[bytes], places: Sequence[tuple[int, int]], date: datetime) -> bytes:
    own = [_record(each, root, SECTOR, date, _DIRECTORY) for each in (b"\0", b"\1")]
    listed = sorted(zip(names, places, strict=True))
    said = b"".join([*own, *(_record(name, at, size, date) for name, (at, size) in listed)])
    if len(said) > SECTOR:
        raise ValueError("more files than the directory of a small disc has room for")
    return said.ljust(SECTOR, b"\0")


def _path_table(root: int, order: str) -> bytes:
    """The root is its own parent, and all there is (ECMA-119 section 9.4)."""
    return struct.pack(f"{order}BBIHBx", 1, 0, root, 1, 0)


def _descriptor(
    kind: int, label: bytes, blank: str, escape: bytes, table: int, root: int, size: int, date: datetime
) -> bytes:
    """ECMA-119 sections 8.4 and 8.5; texts that nobody has written are ``blank``."""

    def text(length: int, said: bytes = b"") -> bytes:
        return (said + blank.encode() * length)[:length]

    when, never = date.strftime("%Y%m%d%H%M%S00").encode() + b"\0", b"0" * 16 + b"\0"
    lengths = struct.calcsize("<BBIHBx")
    said = b"".join(
        [
            bytes([kind]), _STANDARD, b"\0", text(32), text(32, label), bytes(8), _both(size), escape.ljust(32, b"\0"),
            _both(1, "H"), _both(1, "H"), _both(SECTOR, "H"), _both(lengths), struct.pack("<II", table, 0),
            struct.pack(">II", table + 1, 0), _record(b"\0", root, SECTOR, date, _DIRECTORY),
            text(128), text(128), text(128), text(128), text(37), text(37), text(37), when, when, never, never, b"\x01",
        ]
    )  # fmt: skip
    return said.ljust(SECTOR, b"\0")
