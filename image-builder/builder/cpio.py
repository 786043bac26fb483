"""Archives in the `newc` format that the kernel unpacks (Documentation/driver-api/early-userspace). Pure."""

import stat
from collections.abc import Iterable
from dataclasses import dataclass

ALIGNMENT = 4
TRAILER = "TRAILER!!!"


@dataclass(frozen=True)
class Entry:
    """One file: path without leading slash, full mode with type bits, content (a link's target too)."""

    path: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def directory(path: str) -> Entry:
    """A directory everybody may enter."""
    return Entry(path, stat.S_IFDIR | 0o755)


def program(path: str, content: bytes) -> Entry:
    """An executable file."""
    return Entry(path, stat.S_IFREG | 0o755, content)


def plain(path: str, content: bytes) -> Entry:
    """A file that is only read."""
    return Entry(path, stat.S_IFREG | 0o644, content)


def link(path: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def character_device(path: str, major: int, minor: int) -> Entry:
    """A character device for root only."""
    return Entry(path, stat.S_IFCHR | 0o600, device=(major, minor))


def archive(entries: Iterable[Entry]) -> bytes:
    """The archive; everything belongs to root and carries no time, so equal input gives equal bytes."""
    records = [_record(number, entry) for number, entry in enumerate(entries, 1)]
    return b"".join([*records, _record(0, Entry(TRAILER, 0))])


def _record(number: int, entry: Entry) -> bytes:
    name = entry.path.encode() + b"\0"
    fields = (number, entry.mode, 0, 0, 1, 0, len(entry.content), 0, 0, *entry.device, len(name), 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    return _padded(header + name) + _padded(entry.content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)
