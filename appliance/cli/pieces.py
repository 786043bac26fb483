"""Sends files piece by piece, and goes on by itself where the line was lost: in this run, or in a later one."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

import click

from appliance.cli.client import CHUNK, Api, Progress, reason_of
from appliance.cli.errors import Unreachable
from appliance.cli.uploading import uploading
from appliance.errors import ApplianceError, Invalid

PIECE = 16 << 20
"""Bytes after which the appliance says that it has them."""
PAUSES = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""Seconds before each try after a lost line; the last one again and again."""
GIVES_UP = 900.0
"""Seconds without any further byte there after which a run ends."""
PIECE_SECONDS, END_SECONDS = 60.0, 600.0
"""How long a silent line is waited for; and after the last piece, when what came is looked at."""
AGAIN = frozenset({"upload-cut-off", "upload-offset", "upload-checked"})
"""What the appliance may say where asking once more helps."""
Said = dict[str, Any]


class Part(NamedTuple):
    """One file, as it was when it was opened."""

    name: str
    file: BufferedReader
    size: int
    """Bytes."""
    changed: int
    """When, in whole milliseconds of Unix time: as browsers tell it."""


class Files:
    """One file, or several that are sent as one, each behind the other."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(part.size for part in self._parts)

    @property
    def mark(self) -> str:
        """By what a browser would know them, too."""
        return f"changed {' '.join(str(part.changed) for part in self._parts)}"

    def read(self, at: int, size: int) -> bytes:
        """At most so many bytes from a place on.

        Raises Invalid: a stick that was pulled out is no trouble of the line, which is tried again.
        """
        for part in self._parts:
            if at < part.size:
                return _read(part, at, min(size, part.size - at))
            at -= part.size
        return b""


def _read(part: Part, at: int, size: int) -> bytes:
    try:
        part.file.seek(at)
        return part.file.read(size)
    except OSError as error:
        hint = "see whether it is still there, then run the same command again: it goes on where it came to"
        raise Invalid("file-unreadable", f"{part.name} cannot be read any more: {error.strerror}", hint) from error


@contextmanager
def reading(paths: Sequence[Path]) -> Iterator[Files]:
    """The files, opened; raises Invalid where one cannot be read."""
    with ExitStack() as opened:
        yield Files([_part(path, opened.enter_context(_opened(path))) for path in paths])


def _part(path: Path, file: BufferedReader) -> Part:
    state = os.fstat(file.fileno())
    return Part(path.name, file, state.st_size, state.st_mtime_ns // 1_000_000)


def _opened(path: Path) -> BufferedReader:
    if not path.is_file():
        raise Invalid("file-unreadable", f"{path} is no file", "name a file")
    try:
        return path.open("rb")
    except OSError as error:
        raise Invalid("file-unreadable", f"{path}: {error.strerror}", "see whether you may read it") from error


def send_files(connected: Api, upload: str, known: Said, files: Files, done: str, *, replace: bool) -> Said:
    """Upload files to the address ``upload``, from where an earlier run came to; the last thing the appliance says.

    ``known`` is what is said of them at each beginning, and ``done`` the field of its answer that is null until all is
    here. Raises Invalid for a file that cannot be read, and as ``Api.request`` does where trying again is of no use.
    """
    with uploading(str(known.get("name") or known["file"]), files.size) as begin:
        return Sending(connected, upload, known, files, begin()).all(done, replace=replace)


class Sending:
    """One upload, through all its beginnings."""

    def __init__(self, connected: Api, upload: str, known: Said, files: Files, progress: Progress) -> None:
        self._connected, self._upload, self._files, self._progress = connected, upload, files, progress
        self._known = {**known, "size": files.size}
        self._shown, self._furthest, self._moved = 0, -1, time.monotonic()
        self._lost = 0

    def all(self, done: str, *, replace: bool) -> Said:
        """Until the appliance has all of it, and says what is in the field ``done``."""
        while True:
            try:
                said = self._begin(replace=replace)
                replace = False
                while said[done] is None:
                    said = self._piece(said)
                return said
            except ApplianceError as error:
                self._wait(error)

    def _begin(self, *, replace: bool) -> Said:
        self._connected.seconds = END_SECONDS  # what is whole is looked at now
        said = self._connected.send("PUT", self._upload, {**self._known, "replace": replace})
        self._show(said["received"])
        return dict(said)

    def _piece(self, said: Said) -> Said:
        first, size = said["received"], self._known["size"]
        last = min(first + PIECE, size) - 1
        self._connected.seconds = END_SECONDS if last == size - 1 else PIECE_SECONDS
        headers = {
            "Content-Range": f"bytes {first}-{last}/{size}",
            "Content-Length": str(last + 1 - first),
            "Content-Type": "application/octet-stream",
        }
        said = self._connected.request("PUT", f"{self._upload}/{said['turn']}", self._chunks(first, last), headers)
        self._show(said["received"])
        return dict(said)

    def _chunks(self, first: int, last: int) -> Iterator[bytes]:
        at = first
        while at <= last:
            chunk = self._files.read(at, min(CHUNK, last + 1 - at))
            if not chunk:
                raise Invalid("file-changed", "the file became shorter meanwhile", "upload it once more")
            yield chunk
            at += len(chunk)

    def _show(self, received: int) -> None:
        self._progress(received - self._shown)
        self._shown = received
        if received > self._furthest:
            self._furthest, self._moved, self._lost = received, time.monotonic(), 0

    def _wait(self, error: ApplianceError) -> None:
        """Before the next try; raises the error where another one is of no use."""
        helps = isinstance(error, Unreachable) and error.code != "certificate-distrusted" and self._furthest >= 0
        if not (helps or error.code in AGAIN):
            raise error
        if time.monotonic() - self._moved > GIVES_UP:
            hint = "run the same command again: it goes on where it came to"
            raise Unreachable(error.code, error.message, hint) from error
        pause = PAUSES[min(self._lost, len(PAUSES) - 1)]
        if self._lost == 0:
            why = reason_of(error.__cause__) if error.__cause__ else error.message  # what came of it is kept here
            click.echo(f"\nthe line was lost ({why}); going on as soon as it is back", err=True)
        self._lost += 1
        time.sleep(pause)
