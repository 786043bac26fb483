"""A consistent copy of the store while the daemon goes on writing to it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from appliance.catalogue import Image, Kernel
from appliance.errors import ApplianceError
from appliance.iso import Iso
from appliance.store.documents import load
from appliance.store.schema import MIGRATIONS

BUSY_SECONDS = 5.0
"""How long to wait for a lock, as the daemon does."""
ROOM = 64 << 20
"""Bytes that a copy leaves free: leases are written to the same file system."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The copy, open, and what it says of itself."""

    file: BufferedReader
    schema: int
    images: list[Image]
    isos: list[Iso]
    kernels: list[Kernel]


@contextmanager
def snapshot(state_dir: Path) -> Iterator[Snapshot]:
    """The store as it is at one moment, for the length of the with-block.

    SQLite's online backup reads one snapshot of the WAL in one go: it sees whole transactions only, and the daemon's
    writer does not wait for it. The copy has no name, so that nothing is left of it however this ends; it lies in
    the state directory, where password hashes may lie. Raises ApplianceError ``store-unusable``, ``store-newer``, and
    ``store-damaged``: a backup of it would be refused when it is needed.
    """
    store = state_dir / "store.db"
    try:
        _check_room(store, state_dir)
        made = _copied(store, state_dir / f"snapshot-{os.urandom(8).hex()}.part")
    except (sqlite3.Error, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        hint = "run this as root or as the user that runs the daemon, where the daemon has run before"
        raise ApplianceError("store-unusable", f"{store} could not be copied: {reason}", hint) from error
    with made.file:
        yield made


def _copied(store: Path, copy: Path) -> Snapshot:
    # Read and write: to read a WAL is to write its index. The mode keeps SQLite from making an empty store.
    url = f"{store.absolute().as_uri()}?mode=rw"
    with (
        closing(sqlite3.connect(url, uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as source,
        closing(sqlite3.connect(copy, isolation_level=None)) as target,
    ):
        file = _unnamed(copy)
        try:
            target.execute("PRAGMA journal_mode=OFF")
            source.execute("BEGIN")
            found = _described(file, source)
            _check_whole(source, store)
            source.backup(target)  # what the transaction reads, too
        except BaseException:
            file.close()
            raise
        return found


def trouble(store: sqlite3.Connection) -> str | None:
    """What SQLite finds wrong with a store; None for one that is whole. Takes a second for each 100 MB or so."""
    store.execute("PRAGMA cell_size_check=ON")
    try:
        (told,) = store.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if told == "ok" else str(told)


def _check_whole(source: sqlite3.Connection, store: Path) -> None:
    """Of the source: a copy without a name cannot be read as a store."""
    if (told := trouble(source)) is not None:
        hint = "look at the disk, then restore an earlier backup; nothing was written over one"
        raise ApplianceError("store-damaged", f"{store} is damaged: {told}", hint)


def _unnamed(path: Path) -> BufferedReader:
    """The file, open, without its name."""
    try:
        return path.open("rb")
    finally:
        path.unlink(missing_ok=True)


def _check_room(store: Path, state_dir: Path) -> None:
    found = os.statvfs(state_dir)
    free, needed = found.f_bavail * found.f_frsize, store.stat().st_size + ROOM
    if free < needed:
        message = f"{state_dir} has {free / 1e6:.0f} MB free, and a copy of the store needs {needed / 1e6:.0f} MB"
        raise ApplianceError("store-no-room", message, "delete images that nobody needs, or free other space")


def _described(file: BufferedReader, store: sqlite3.Connection) -> Snapshot:
    (schema,) = store.execute("PRAGMA user_version").fetchone()
    if not 1 <= schema <= len(MIGRATIONS):
        message = f"the store has schema {schema}, and this program knows 1 to {len(MIGRATIONS)}"
        raise ApplianceError("store-newer", message, "use the qrm of the version that the daemon runs")
    images = [load(doc, Image) for (doc,) in store.execute("SELECT doc FROM images ORDER BY id")]
    kernels = [load(doc, Kernel) for (doc,) in store.execute("SELECT doc FROM kernels ORDER BY id")]
    has_isos = store.execute("SELECT 1 FROM sqlite_master WHERE name = 'isos'").fetchone()  # older stores lack them
    isos = [load(doc, Iso) for (doc,) in store.execute("SELECT doc FROM isos ORDER BY id")] if has_isos else []
    return Snapshot(file, schema, images, isos, kernels)
