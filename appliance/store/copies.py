"""A copy of the store before each migration, and the way back to it where an update did not hold.

Beside the store lie ``store-copies/`` and ``store-newer/``. Names alone change hands: whatever ends this in between,
the store is one of the two, whole, and the next start goes on from there.
"""

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.on_disk import sync
from appliance.updates.copies import KEPT, PutAside, StoreCopy, fitting, needless, room_needed

COPIES = "store-copies"
NEWER = "store-newer"
PART = "copy.part"
ROOM = 64 << 20
"""Bytes that stay free: leases are written to the same file system."""
BUSY_SECONDS = 5.0


def prepare(path: Path, known: int, *, may_go_back: bool, now: float) -> None:
    """Before a store is opened by a program that knows ``known`` schemas; blocks.

    An older store is copied. A newer one gives its place to the copy of before, if ``may_go_back`` says that the
    version which wrote it never proved good. Raises sqlite3.Error; ApplianceError ``store-no-room`` or
    ``store-uncopied``.
    """
    (path.parent / COPIES / PART).unlink(missing_ok=True)
    if not path.exists():
        return
    present = _schema(path)
    if 0 < present < known:
        _take(path, StoreCopy(float(int(now)), present, known))
    elif present > known and may_go_back:
        _go_back(path, known, present)


def put_aside(directory: Path) -> dict[PutAside, Path]:
    """The newer stores that copies have taken the place of, oldest first; ``directory`` has the store."""
    found = {PutAside.of(each.name): each for each in _files(directory / NEWER)}
    return {known: found[known] for known in sorted(each for each in found if each is not None)}


def _schema(path: Path) -> int:
    with closing(_open(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)


def _files(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []


def _names(directory: Path) -> list[str]:
    return [each.name for each in _files(directory)]


def _take(path: Path, copy: StoreCopy) -> None:
    directory = path.parent / COPIES
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        _remove(directory, needless(_names(directory), KEPT - 1))
        _check_room(path)
        _write(path, directory / PART)
        (directory / PART).replace(directory / copy.name)
        sync(directory)
        sync(directory.parent)
    except (sqlite3.Error, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        hint = f"see to the disk and the rights of {directory}; the state was not changed"
        raise ApplianceError("store-uncopied", f"no copy of {path} before its migration: {reason}", hint) from error


def _check_room(path: Path) -> None:
    """The journal may hold as much again as the store, and becomes part of it."""
    found = os.statvfs(path.parent)
    free, store = found.f_bavail * found.f_frsize, sum(each.stat().st_size for each in _parts(path))
    needed = room_needed(store, ROOM)
    if free < needed:
        message = f"{path.parent} has {free / 1e6:.0f} MB free; a new version needs {needed / 1e6:.0f} MB to take over"
        hint = "free some space there and start again; the state was not changed, and the version before can use it"
        raise ApplianceError("store-no-room", message, hint)


def _parts(path: Path) -> list[Path]:
    return [each for each in (path, path.with_name(f"{path.name}-wal")) if each.exists()]


def _write(path: Path, part: Path) -> None:
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(_open(path)) as source, closing(_open(part)) as target:
        target.execute("PRAGMA journal_mode=OFF")
        source.backup(target)
    with part.open("rb") as file:
        os.fsync(file.fileno())


def _remove(directory: Path, names: Iterable[str]) -> None:
    for name in names:
        (directory / name).unlink(missing_ok=True)


def _go_back(path: Path, known: int, present: int) -> None:
    directory, newer = path.parent / COPIES, path.parent / NEWER
    copy = fitting(_names(directory), known, present)
    if copy is None:
        return  # the migration says what is the matter
    _without_journal(path)
    try:
        newer.mkdir(mode=0o700, exist_ok=True)
        _keep(path, newer / PutAside(copy.taken, present).name)
        (directory / copy.name).replace(path)
        for each in (path.parent, directory):
            sync(each)
        kept = list(put_aside(path.parent).values())
        _remove(newer, [each.name for each in kept[: max(len(kept) - KEPT, 0)]])
    except OSError as error:
        hint = f"see to the disk and the rights of {path.parent}"
        raise ApplianceError("store-uncopied", f"{path} could not be taken back: {error.strerror}", hint) from error


def _without_journal(path: Path) -> None:
    """One file, with nothing beside it: a journal that stayed would be read as that of the copy, and ruin it."""
    with closing(_open(path)) as db:
        mode = db.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
    if mode != "delete" or len(_parts(path)) != 1:
        raise sqlite3.OperationalError("the journal is in use by another program")


def _keep(path: Path, aside: Path) -> None:
    """A second name for the newer store; it has it already where an earlier start was ended right after."""
    if aside.exists() and not aside.samefile(path):
        aside.unlink()
    if not aside.exists():
        os.link(path, aside)
    sync(aside.parent)
    sync(path.parent)
