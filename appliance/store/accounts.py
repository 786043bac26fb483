"""Users and settings."""

import sqlite3
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from appliance.accounts import Role
from appliance.errors import Conflict, NotFound
from appliance.store.documents import one, rows
from appliance.store.listing import Asked, Filter, Found, Listing, Sort, Text, any_of, flag, page, words


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in; ``password`` is an argon2 hash."""

    name: str
    password: str
    role: str
    created: float
    disabled: bool = False
    """Nobody gets in under this name."""
    last_log_in: float | None = None
    """Unix time; None: never."""


_COLUMNS = "name, password, role, created, disabled, last_log_in"

LISTING = Listing(
    table="users",
    columns=_COLUMNS,
    id="name",
    id_kind=Text,
    sorts={
        "name": Sort("name"),
        "role": Sort("role"),
        "created": Sort("created", float),
        "last_log_in": Sort("coalesce(last_log_in, 0.0)", float),
    },
    default="name",
    filters={
        "q": Filter(Annotated[str, msgspec.Meta(max_length=200)], words("lower(name)"), "words that are in the name"),
        "role": Filter(list[Role], any_of("role"), "only with this role; several may be given"),
        "disabled": Filter(bool, flag("disabled = 1"), "whether nobody gets in under the name"),
    },
)


def _user(row: tuple[Any, ...]) -> User:
    name, password, role, created, disabled, last = row
    return User(name, password, role, created, bool(disabled), last)


def users(db: sqlite3.Connection) -> list[User]:
    """All users by name."""
    return [_user(row) for row in rows(db, f"SELECT {_COLUMNS} FROM users ORDER BY name")]  # noqa: S608 - ours


def found(db: sqlite3.Connection, asked: Asked) -> tuple[Found, list[User]]:
    """The page that is asked for, and its users."""
    shown = page(db, LISTING, asked)
    return shown, [_user(row) for row in shown.rows]


def user(db: sqlite3.Connection, name: str) -> User | None:
    """The user of this name."""
    row = one(db, f"SELECT {_COLUMNS} FROM users WHERE name = ?", name)  # noqa: S608 - ours
    return _user(row) if row else None


def existing(db: sqlite3.Connection, name: str) -> User:
    """The user of this name; raises NotFound."""
    found = user(db, name)
    if found is None:
        raise NotFound("user-unknown", f"there is no user {name[:80]!r}", "see the list of users: qrm users")
    return found


def add_user(db: sqlite3.Connection, new: User) -> None:
    """Store a new user; raises Conflict when the name is taken."""
    if user(db, new.name):
        raise Conflict("name-taken", f"there is already a user {new.name}", field="name")
    values = (new.name, new.password, new.role, new.created, int(new.disabled))
    db.execute("INSERT INTO users(name, password, role, created, disabled) VALUES(?,?,?,?,?)", values)


def put_user(db: sqlite3.Connection, changed: User) -> None:
    """Store what changed of a user's role, password and whether it is disabled."""
    values = (changed.password, changed.role, int(changed.disabled), changed.name)
    db.execute("UPDATE users SET password = ?, role = ?, disabled = ? WHERE name = ?", values)


def set_password(db: sqlite3.Connection, name: str, password: str, keep: str | None = None) -> None:
    """Store another argon2 hash, and end all log-ins of the user but the one with the id ``keep``.

    Raises NotFound where there is no such user.
    """
    existing(db, name)
    db.execute("UPDATE users SET password = ? WHERE name = ?", (password, name))
    db.execute("DELETE FROM log_ins WHERE user = ? AND id IS NOT ?", (name, keep))


def note_log_in(db: sqlite3.Connection, name: str, now: float) -> None:
    """Remember that the user logged in."""
    db.execute("UPDATE users SET last_log_in = ? WHERE name = ?", (now, name))


def delete_user(db: sqlite3.Connection, name: str) -> None:
    """Forget a user with all log-ins and tokens, and the answers that wait for requests to be repeated."""
    db.execute("DELETE FROM users WHERE name = ?", (name,))
    db.execute("DELETE FROM idempotency WHERE user = ?", (name,))


def setting(db: sqlite3.Connection, key: str) -> str | None:
    """A stored setting."""
    row = one(db, "SELECT value FROM settings WHERE key = ?", key)
    return str(row[0]) if row else None


def put_setting(db: sqlite3.Connection, key: str, value: str | None) -> None:
    """Store a setting, or forget it."""
    if value is None:
        db.execute("DELETE FROM settings WHERE key = ?", (key,))
    else:
        db.execute("INSERT OR REPLACE INTO settings VALUES(?,?)", (key, value))
