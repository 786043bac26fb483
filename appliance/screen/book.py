"""The store as the screen reads it: beside the daemon or without it, never migrated, and never needed."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from appliance.errors import ApplianceError
from appliance.events import Event
from appliance.screen.facts import Happened
from appliance.store import accounts, events, machines

T = TypeVar("T")
BUSY_SECONDS = 2.0


@contextmanager
def _opened(state_dir: Path) -> Iterator[sqlite3.Connection]:
    """The store, to be read only. Raises ApplianceError ``store-unusable``.

    Where the file system cannot be written to any more, it is read as it lies there.
    """
    path = state_dir / "store.db"
    if not path.exists():
        raise ApplianceError("store-unusable", f"{path} is not there", "the first start of the daemon makes it")
    try:
        with closing(_connected(path)) as db:
            yield db
    except sqlite3.Error as error:
        raise ApplianceError("store-unusable", f"{path}: {error}", "restore a backup, or look at the disk") from error


def _connected(path: Path) -> sqlite3.Connection:
    reason: sqlite3.Error | None = None
    for how in ("mode=ro", "mode=ro&immutable=1"):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None, timeout=BUSY_SECONDS)
        try:
            db.execute("PRAGMA user_version").fetchone()
            db.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:  # no room or no right for its index of the write-ahead log
            db.close()
            reason = error
        except sqlite3.Error:
            db.close()
            raise
        else:
            return db
    assert reason is not None
    raise reason


def _read(state_dir: Path, job: Callable[[sqlite3.Connection], T]) -> T:
    with _opened(state_dir) as db:
        try:
            return job(db)
        except ValueError as error:  # documents of a version that knows other things
            text = f"{state_dir / 'store.db'} is of another version: {error}"
            raise ApplianceError("store-unusable", text, "restart the daemon") from error


def is_begun(state_dir: Path) -> bool:
    """Whether there is a store with something in it; the daemon makes its tables in one step when it first starts.

    Raises ApplianceError ``store-unusable``.
    """
    if not (state_dir / "store.db").exists():
        return False
    return bool(_read(state_dir, lambda db: db.execute("PRAGMA user_version").fetchone()[0]))


def last_events(state_dir: Path, count: int) -> tuple[Happened, ...]:
    """The newest events, each with the machine that it is of; none that are for administrators only.

    Raises ApplianceError ``store-unusable``.
    """

    def look(db: sqlite3.Connection) -> tuple[Happened, ...]:
        found = events.query(db, limit=count, private=False)
        names = machines.names(db, sorted({each.machine for each in found if each.machine}))
        return tuple(Happened(each.at, _told(each, names.get(each.machine or "", ""))) for each in found)

    return _read(state_dir, look)


def _told(event: Event, machine: str) -> str:
    """In one line, with the name of its machine."""
    text = event.text if not machine or machine in event.text else f"{machine}: {event.text}"
    return f"{text} ({event.reason})" if event.reason else text


def users(state_dir: Path) -> tuple[tuple[str, str], ...]:
    """Everybody's name and role. Raises ApplianceError ``store-unusable``."""
    found = _read(state_dir, accounts.users)
    return tuple((each.name, f"{each.role}, disabled" if each.disabled else each.role) for each in found)


def find_user(state_dir: Path, name: str) -> accounts.User | None:
    """The user of this name. Raises ApplianceError ``store-unusable``."""
    return _read(state_dir, lambda db: accounts.user(db, name))
