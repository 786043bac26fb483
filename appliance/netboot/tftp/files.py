"""Where TFTP files come from: a directory, functions that render them, or several of these in order."""

import os
import re
import stat
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from appliance.netboot.tftp.content import OpenFile

_SETTLED_NANOSECONDS = 2_000_000_000
"""After which one more change is sure to have another time than the one before, on any file system."""


class FileSource(Protocol):
    """Finds a file by the name that a client sent."""

    def open(self, name: str, client: str) -> OpenFile | None:
        """The file for `client` (an IP address), or None. Never raises for a bad name."""
        ...


class DiskFile:
    """A regular file, read at any offset without moving a shared position."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        found = os.fstat(descriptor)
        self.size = found.st_size
        self.key: Hashable | None = None
        # The time of change cannot be set by programs, as that of modification can.
        if time.time_ns() - found.st_ctime_ns > _SETTLED_NANOSECONDS:
            self.key = (found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns)

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)

    def close(self) -> None:
        os.close(self._descriptor)


class MemoryFile:
    """Bytes as a file."""

    key: Hashable | None = None

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)

    def read(self, offset: int, length: int) -> bytes:
        return self._content[offset : offset + length]

    def close(self) -> None:
        """Nothing to give back."""


class DirectoryFiles:
    """The files under `root`, names in any case, and nothing outside it.

    A name is first taken apart (see `parts_of`), then found on disk, then resolved, and served only if
    the result lies inside the resolved root: links may point around inside, never out.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def open(self, name: str, client: str) -> OpenFile | None:
        parts = parts_of(name)
        if parts is None:
            return None
        try:
            path = self._find(parts)
            return _open_regular(path) if path else None
        except OSError:  # vanished, not readable, name too long, a loop of links
            return None

    def _find(self, parts: Sequence[str]) -> Path | None:
        path = self._root
        for part in parts:
            step = path / part
            found = step if step.exists() else _in_any_case(path, part)
            if found is None:
                return None
            path = Path(os.path.realpath(found, strict=True))
            if not path.is_relative_to(self._root):
                return None
        return path


Renderer = Callable[[re.Match[str], str], bytes | None]
"""(match of the name, client's IP address) -> content, or None when there is no such file."""


class RenderedFiles:
    """Files made on request: the first pattern that matches the whole name, in any case, decides."""

    def __init__(self, renderers: Mapping[str, Renderer]) -> None:
        self._renderers = [(re.compile(pattern, re.IGNORECASE), make) for pattern, make in renderers.items()]

    def open(self, name: str, client: str) -> OpenFile | None:
        parts = parts_of(name)
        if parts is None:
            return None
        plain = "/".join(parts)
        for pattern, render in self._renderers:
            if match := pattern.fullmatch(plain):
                content = render(match, client)
                return None if content is None else MemoryFile(content)
        return None


class Overlay:
    """The first of several sources that has the file."""

    def __init__(self, sources: Sequence[FileSource]) -> None:
        self._sources = tuple(sources)

    def open(self, name: str, client: str) -> OpenFile | None:
        for source in self._sources:
            if file := source.open(name, client):
                return file
        return None


def parts_of(name: str) -> list[str] | None:
    """The components of a requested name, or None for a name that can never be right.

    Leading, doubled and backward slashes are tolerated, as GRUB and Windows-bred loaders send them.
    `..` is refused rather than resolved: no loader needs it.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if not parts or ".." in parts or not name.isprintable():
        return None
    return parts


def _in_any_case(directory: Path, wanted: str) -> Path | None:
    folded = wanted.casefold()
    with os.scandir(directory) as entries:
        names = sorted(entry.name for entry in entries if entry.name.casefold() == folded)
    return directory / names[0] if names else None


def _open_regular(path: Path) -> DiskFile | None:
    # O_NONBLOCK: opening a FIFO must not stop the process; O_NOFOLLOW: the path is resolved already.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return DiskFile(descriptor)
    os.close(descriptor)
    return None
