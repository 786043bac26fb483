"""The cpio format that the kernel unpacks (newc; Documentation/driver-api/early-userspace/buffer-format.rst). Pure."""

import stat
from collections.abc import Iterable
from dataclasses import dataclass

_TRAILER = "TRAILER!!!"


@dataclass(frozen=True, slots=True)
class Entry:
    """One directory (``content`` None) or regular file; ``name`` is relative, without ``./``."""

    name: str
    content: bytes | None = None
    executable: bool = False

    @property
    def mode(self) -> int:
        """Type and permission bits; everything belongs to root."""
        if self.content is None:
            return stat.S_IFDIR | 0o755
        return stat.S_IFREG | (0o755 if self.executable else 0o644)


def archive(entries: Iterable[Entry]) -> bytes:
    """The archive, padded to four bytes so that another one can follow it. The same entries give the same bytes."""
    members = [_member(number, entry.name, entry.mode, entry.content or b"") for number, entry in enumerate(entries, 1)]
    return b"".join([*members, _member(0, _TRAILER, 0, b"")])


def _member(number: int, name: str, mode: int, content: bytes) -> bytes:
    encoded = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return _padded(head) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
