"""Log-ins and the tokens that stand for them, one after the other: a browser's is replaced while it is in use."""

import sqlite3
from dataclasses import dataclass
from typing import Annotated

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


def found(db: sqlite3.Connection, asked: Asked) -> tuple[Found, list[LogIn]]:
    """The page that is asked for, and its log-ins."""
    shown = page(db, LISTING, asked)
    return shown, [LogIn(*row) for row in shown.rows]


def add(db: sqlite3.Connection, new: LogIn, token: LogInToken) -> None:
    """Store a log-in with its first token, and forget those that have ended."""
    db.execute("DELETE FROM log_ins WHERE expires < ?", (new.created,))
    values = (new.id, new.user, new.created, new.used, new.expires, new.address, new.program)
    db.execute("INSERT INTO log_ins VALUES(?,?,?,?,?,?,?)", values)
    add_token(db, token)
    sql = "SELECT id FROM log_ins WHERE user = ? ORDER BY used DESC, created DESC LIMIT -1 OFFSET ?"
    db.execute(f"DELETE FROM log_ins WHERE id IN ({sql})", (new.user, MOST_PER_USER))  # noqa: S608 - ours


def add_token(db: sqlite3.Connection, new: LogInToken) -> None:
    """Store a further token of a log-in."""
    values = (new.hash, new.log_in, new.created, new.used, new.retired)
    db.execute("INSERT INTO log_in_tokens VALUES(?,?,?,?,?)", values)


def find(db: sqlite3.Connection, token_hash: str) -> tuple[LogIn, LogInToken] | None:
    """The token and its log-in, ended or not."""
    row = one(db, "SELECT * FROM log_in_tokens WHERE hash = ?", token_hash)
    if row is None:
        return None
    token = LogInToken(*row)
    found = get(db, token.log_in)
    return (found, token) if found else None


def get(db: sqlite3.Connection, key: str) -> LogIn | None:
    """The log-in with this id, ended or not."""
    row = one(db, "SELECT * FROM log_ins WHERE id = ?", key)
    return LogIn(*row) if row else None


def of_user(db: sqlite3.Connection, user: str, now: float) -> list[LogIn]:
    """The log-ins of a user that go on; the one used last goes first."""
    sql = "SELECT * FROM log_ins WHERE user = ? AND used > ? AND expires > ? ORDER BY used DESC, id"
    return [LogIn(*row) for row in rows(db, sql, user, now - IDLE_END, now)]


def newest_token(db: sqlite3.Connection, log_in: str) -> float:
    """When the latest token of a log-in was made."""
    row = one(db, "SELECT max(created) FROM log_in_tokens WHERE log_in = ?", log_in)
    return float(row[0]) if row and row[0] is not None else 0.0


def first_use(db: sqlite3.Connection, token: LogInToken, now: float) -> None:
    """The token has arrived where it was sent to: those before it are retired."""
    db.execute("UPDATE log_in_tokens SET used = ? WHERE hash = ?", (now, token.hash))
    sql = "UPDATE log_in_tokens SET retired = ? WHERE log_in = ? AND created < ? AND retired IS NULL"
    db.execute(sql, (now, token.log_in, token.created))


def forget_tokens(db: sqlite3.Connection, log_in: str) -> None:
    """No token of the log-in is good any more."""
    db.execute("DELETE FROM log_in_tokens WHERE log_in = ?", (log_in,))


def touch(db: sqlite3.Connection, key: str, now: float) -> None:
    """Remember that the log-in was used."""
    db.execute("UPDATE log_ins SET used = ? WHERE id = ?", (now, key))


def end(db: sqlite3.Connection, key: str) -> None:
    """Log out."""
    db.execute("DELETE FROM log_ins WHERE id = ?", (key,))


def end_all(db: sqlite3.Connection, user: str) -> None:
    """End every log-in of a user."""
    db.execute("DELETE FROM log_ins WHERE user = ?", (user,))


def end_every(db: sqlite3.Connection) -> None:
    """End the log-ins of everybody."""
    db.execute("DELETE FROM log_ins")
