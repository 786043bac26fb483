"""Log-ins and the tokens that stand for them, one after the other: a browser's is replaced while it is in use."""

from dataclasses import dataclass
from typing import Annotated

import aiosqlite
import msgspec

from appliance.store.documents import one, rows
from appliance.store.listing import Asked, Filter, Found, Listing, Sort, Text, equals, page, words

MOST_PER_USER = 100
"""Log-ins of one user that are kept; the one that was used longest ago goes first."""
IDLE_END = 12 * 3600.0
"""Seconds without use after which a log-in has ended."""


@dataclass(frozen=True, slots=True)
class LogIn:
    """One log-in of a user."""

    id: str
    user: str
    created: float
    used: float
    """When it was last used, to a minute."""
    expires: float
    """When it ends in any case."""
    address: str
    """Where it was made from."""
    program: str
    """What the browser or program calls itself; its own word."""


@dataclass(frozen=True, slots=True)
class LogInToken:
    """One of a log-in's tokens; ``hash`` stands for it."""

    hash: str
    log_in: str
    created: float
    used: float | None = None
    """When it came back for the first time; None: it may never have arrived."""
    retired: float | None = None
    """When a later one took its place."""


_Word = Annotated[str, msgspec.Meta(max_length=200)]

LISTING = Listing(
    table="log_ins",
    columns="id, user, created, used, expires, address, program",
    id="id",
    id_kind=Text,
    sorts={
        "used": Sort("used", float),
        "created": Sort("created", float),
        "expires": Sort("expires", float),
        "user": Sort("user"),
        "address": Sort("address"),
    },
    default="-used",
    filters={
        "q": Filter(
            _Word,
            words("lower(id || ' ' || user || ' ' || address || ' ' || program)"),
            "words in its id, user, address or program",
        ),
        "user": Filter(_Word, equals("user"), "only of this user; another than oneself: for administrators"),
        "everybody": Filter(bool, lambda _value, _now: (), "those of all users; for administrators"),
    },
    always=lambda now: [("used > ? AND expires > ?", (now - IDLE_END, now))],
)
"""Log-ins that go on; those that have ended are none."""


async def found(db: aiosqlite.Connection, asked: Asked) -> tuple[Found, list[LogIn]]:
    """The page that is asked for, and its log-ins."""
    shown = await page(db, LISTING, asked)
    return shown, [LogIn(*row) for row in shown.rows]


async def add(db: aiosqlite.Connection, new: LogIn, token: LogInToken) -> None:
    """Store a log-in with its first token, and forget those that have ended."""
    await db.execute("DELETE FROM log_ins WHERE expires < ?", (new.created,))
    values = (new.id, new.user, new.created, new.used, new.expires, new.address, new.program)
    await db.execute("INSERT INTO log_ins VALUES(?,?,?,?,?,?,?)", values)
    await add_token(db, token)
    sql = "SELECT id FROM log_ins WHERE user = ? ORDER BY used DESC, created DESC LIMIT -1 OFFSET ?"
    await db.execute(f"DELETE FROM log_ins WHERE id IN ({sql})", (new.user, MOST_PER_USER))  # noqa: S608 - ours


async def add_token(db: aiosqlite.Connection, new: LogInToken) -> None:
    """Store a further token of a log-in."""
    values = (new.hash, new.log_in, new.created, new.used, new.retired)
    await db.execute("INSERT INTO log_in_tokens VALUES(?,?,?,?,?)", values)


async def find(db: aiosqlite.Connection, token_hash: str) -> tuple[LogIn, LogInToken] | None:
    """The token and its log-in, ended or not."""
    row = await one(db, "SELECT * FROM log_in_tokens WHERE hash = ?", token_hash)
    if row is None:
        return None
    token = LogInToken(*row)
    found = await get(db, token.log_in)
    return (found, token) if found else None


async def get(db: aiosqlite.Connection, key: str) -> LogIn | None:
    """The log-in with this id, ended or not."""
    row = await one(db, "SELECT * FROM log_ins WHERE id = ?", key)
    return LogIn(*row) if row else None


async def of_user(db: aiosqlite.Connection, user: str, now: float) -> list[LogIn]:
    """The log-ins of a user that go on; the one used last goes first."""
    sql = "SELECT * FROM log_ins WHERE user = ? AND used > ? AND expires > ? ORDER BY used DESC, id"
    return [LogIn(*row) for row in await rows(db, sql, user, now - IDLE_END, now)]


async def newest_token(db: aiosqlite.Connection, log_in: str) -> float:
    """When the latest token of a log-in was made."""
    row = await one(db, "SELECT max(created) FROM log_in_tokens WHERE log_in = ?", log_in)
    return float(row[0]) if row and row[0] is not None else 0.0


async def first_use(db: aiosqlite.Connection, token: LogInToken, now: float) -> None:
    """The token has arrived where it was sent to: those before it are retired."""
    await db.execute("UPDATE log_in_tokens SET used = ? WHERE hash = ?", (now, token.hash))
    sql = "UPDATE log_in_tokens SET retired = ? WHERE log_in = ? AND created < ? AND retired IS NULL"
    await db.execute(sql, (now, token.log_in, token.created))


async def forget_tokens(db: aiosqlite.Connection, log_in: str) -> None:
    """No token of the log-in is good any more."""
    await db.execute("DELETE FROM log_in_tokens WHERE log_in = ?", (log_in,))


async def touch(db: aiosqlite.Connection, key: str, now: float) -> None:
    """Remember that the log-in was used."""
    await db.execute("UPDATE log_ins SET used = ? WHERE id = ?", (now, key))


async def end(db: aiosqlite.Connection, key: str) -> None:
    """Log out."""
    await db.execute("DELETE FROM log_ins WHERE id = ?", (key,))


async def end_all(db: aiosqlite.Connection, user: str) -> None:
    """End every log-in of a user."""
    await db.execute("DELETE FROM log_ins WHERE user = ?", (user,))


async def end_every(db: aiosqlite.Connection) -> None:
    """End the log-ins of everybody."""
    await db.execute("DELETE FROM log_ins")
