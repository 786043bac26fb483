"""What the writer does about a disk that is nearly full, so that rows that are there can be written anew on a full one.

A commit goes to SQLite's log (WAL) first, and from there to the file. The log keeps its room from the start and is
written from its beginning again; the file grows no more before the last room is gone. What needs a larger file is
refused then, the next end of a lease is not.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

LOG_BYTES = 6 << 20
"""The log is carried over to the file at 1000 pages, which are 4 MB, and a commit may bring some more."""
LOG_SHARE = 8
"""A small file system gives one part in so many."""
TIGHT = 128 << 20
"""With less room than this, in bytes, each commit is carried over at once: room that is there now may be gone then."""
LAST = 1 << 19
"""Less room than this, in bytes, is not the file's to grow into: what is in the log has to fit."""
_AS_IT_IS, _ANY = 1, 1_073_741_823
"""Pages that a file may have: SQLite takes the first for as many as it has."""


class Thrift:
    """Of one store; its methods run in the writer's thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._grows = True
        self._tight = False

    def keep_log(self) -> None:
        """Keep room for the log, where there is that much; what it says already stays."""
        with suppress(OSError):
            found = os.statvfs(self._path.parent)
            descriptor = os.open(f"{self._path}-wal", os.O_WRONLY)  # no lock of SQLite's is on this file
            try:
                os.posix_fallocate(descriptor, 0, min(LOG_BYTES, found.f_blocks * found.f_frsize // LOG_SHARE))
            finally:
                os.close(descriptor)

    def before(self, db: sqlite3.Connection) -> None:
        """Look how much room there is, and keep the file as large as it is where that is too little."""
        room = _room(self._path.parent)
        self._tight, grows = room < TIGHT, room >= LAST
        if grows is not self._grows:
            db.execute(f"PRAGMA max_page_count = {_ANY if grows else _AS_IT_IS}")
            self._grows = grows

    def after(self, db: sqlite3.Connection) -> None:
        """After a commit."""
        if self._tight:
            begin_log_anew(db)


def begin_log_anew(db: sqlite3.Connection) -> None:
    """Carry the log over to the file, as far as no reader stands in the way; the next commit overwrites it then."""
    with suppress(sqlite3.Error):
        db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _room(directory: Path) -> int:
    """Bytes that are free for us; one that cannot be asked is not full."""
    try:
        found = os.statvfs(directory)
    except OSError:
        return TIGHT
    return found.f_bavail * found.f_frsize
