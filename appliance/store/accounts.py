"""Users, their sessions, and settings."""

from dataclasses import dataclass

import aiosqlite

from appliance.errors import Conflict
from appliance.store.documents import one, rows


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in; ``password`` is an argon2 hash."""

    name: str
    password: str
    role: str
    created: float


@dataclass(frozen=True, slots=True)
class UserSession:
    """One log-in; ``hash`` stands for its token."""

    hash: str
    user: str
    created: float
    used: float
    expires: float


async def users(db: aiosqlite.Connection) -> list[User]:
    """All users by name."""
    return [User(*row) for row in await rows(db, "SELECT * FROM users ORDER BY name")]


async def user(db: aiosqlite.Connection, name: str) -> User | None:
    """The user of this name."""
    row = await one(db, "SELECT * FROM users WHERE name = ?", name)
    return User(*row) if row else None


async def add_user(db: aiosqlite.Connection, new: User) -> None:
    """Store a new user; raises Conflict when the name is taken."""
    if await user(db, new.name):
        raise Conflict("name-taken", f"there is already a user {new.name}", field="name")
    await db.execute("INSERT INTO users VALUES(?,?,?,?)", (new.name, new.password, new.role, new.created))


async def add_session(db: aiosqlite.Connection, new: UserSession) -> None:
    """Store a log-in and forget expired ones."""
    await db.execute("DELETE FROM user_sessions WHERE expires < ?", (new.created,))
    await db.execute(
        "INSERT INTO user_sessions VALUES(?,?,?,?,?)",
        (new.hash, new.user, new.created, new.used, new.expires),
    )


async def session(db: aiosqlite.Connection, token_hash: str) -> UserSession | None:
    """The log-in with this token hash, expired or not."""
    row = await one(db, "SELECT * FROM user_sessions WHERE hash = ?", token_hash)
    return UserSession(*row) if row else None


async def touch_session(db: aiosqlite.Connection, token_hash: str, now: float) -> None:
    """Remember that the log-in was used."""
    await db.execute("UPDATE user_sessions SET used = ? WHERE hash = ?", (now, token_hash))


async def end_session(db: aiosqlite.Connection, token_hash: str) -> None:
    """Log out."""
    await db.execute("DELETE FROM user_sessions WHERE hash = ?", (token_hash,))


async def setting(db: aiosqlite.Connection, key: str) -> str | None:
    """A stored setting."""
    row = await one(db, "SELECT value FROM settings WHERE key = ?", key)
    return str(row[0]) if row else None


async def put_setting(db: aiosqlite.Connection, key: str, value: str | None) -> None:
    """Store a setting, or forget it."""
    if value is None:
        await db.execute("DELETE FROM settings WHERE key = ?", (key,))
    else:
        await db.execute("INSERT OR REPLACE INTO settings VALUES(?,?)", (key, value))
