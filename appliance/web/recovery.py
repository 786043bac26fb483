"""A lost password, replaced on the appliance itself: beside the daemon or without it, never over the network."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from appliance.accounts import APPLIANCE, Asker, Role
from appliance.errors import ApplianceError
from appliance.events import Event
from appliance.reconcile import audit
from appliance.store import accounts, events
from appliance.store.schema import MIGRATIONS
from appliance.web.passwords import Passwords, check_password, default_hasher

BUSY_SECONDS = 5
"""How long to wait for the daemon's writer, which commits in milliseconds."""


def find_user(state_dir: Path, name: str) -> accounts.User:
    """The user, before anybody is asked for a password; raises NotFound."""
    with _store(state_dir) as db:
        return accounts.existing(db, name)


async def reset_password(state_dir: Path, name: str, password: str, now: float) -> bool:
    """Give the user this password and end all log-ins of theirs. Whether anybody is left who can administer.

    A daemon that runs sees it at once: it reads users and log-ins from the store each time. Raises Invalid for a
    password that does not do, NotFound, or ApplianceError ``store-unusable``.
    """
    check_password(password, name)
    hashed = await Passwords(default_hasher()).hash(password)
    with _store(state_dir) as db:
        db.execute("BEGIN IMMEDIATE")
        accounts.set_password(db, name, hashed)
        text = f"the password of {name} was reset on the appliance itself; all of their log-ins ended"
        events.add(db, Event("user.changed", now, text))
        audit.note(db, APPLIANCE, "user.password", ("user", name, name), now=now)
        users = accounts.users(db)
        db.commit()
    return any(user.role == Role.ADMIN and not user.disabled for user in users)


def note_shell(state_dir: Path, name: str, now: float) -> None:
    """Write down that an administrator opened a shell on the appliance's own screen.

    Raises ApplianceError ``store-unusable`` or ``store-other-schema``, as ``reset_password`` does.
    """
    with _store(state_dir) as db:
        db.execute("BEGIN IMMEDIATE")
        events.add(db, Event("user.login", now, f"{name} opened a shell on the screen of the appliance"))
        audit.note(db, Asker(name, Role.ADMIN, via="screen"), "session.shell", ("user", name, name), now=now)
        db.commit()


@contextmanager
def _store(state_dir: Path) -> Iterator[sqlite3.Connection]:
    """The store as it is, neither made nor migrated: the daemon may be of another version."""
    path = state_dir / "store.db"
    _check_owner(path)
    try:
        url = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(url, uri=True, isolation_level=None, timeout=BUSY_SECONDS)) as db:
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA foreign_keys=ON")
            _check_schema(db, path)
            yield db
    except sqlite3.Error as error:
        raise ApplianceError("store-unusable", f"{path}: {error}", "look at the disk, then try again") from error


def _check_owner(path: Path) -> None:
    try:
        owner = path.stat().st_uid
    except OSError as error:
        hint = "run this as root, and name the configuration file that the daemon runs with"
        raise ApplianceError("store-unusable", f"{path}: {error.strerror}", hint) from error
    if os.geteuid() not in (0, owner):
        raise ApplianceError("not-allowed", f"{path} belongs to another user", "run this as root")


def _check_schema(db: sqlite3.Connection, path: Path) -> None:
    cursor = db.execute("PRAGMA user_version")
    row = cursor.fetchone()
    if row is None or row[0] != len(MIGRATIONS):
        hint = "restart the daemon, so that it runs the version of this program; then try again"
        raise ApplianceError("store-other-schema", f"{path} was written by another version", hint)
