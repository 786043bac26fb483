"""API tokens of users; only their hashes are stored."""

import sqlite3
from dataclasses import dataclass
from typing import Annotated

import msgspec

from appliance.accounts import Role
from appliance.errors import Conflict, NotFound
from appliance.store.documents import one, rows
from appliance.store.listing import (
    Asked,
    Condition,
    Filter,
    Found,
    Listing,
    Sort,
    Text,
    any_of,
    equals,
    page,
    words,
)

MOST_PER_USER = 100


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token that a program shows in a user's place; ``hash`` stands for it."""

    id: str
    user: str
    name: str
    hash: str
    scope: str
    """The most that it may do: a role."""
    created: float
    expires: float | None
    """Unix time; None: it does not end by itself."""
    used: float | None = None
    """When it was last used, to a minute; None: never."""
    used_from: str = ""
    """Address that it was last used from."""


_Word = Annotated[str, msgspec.Meta(max_length=200)]


def _expired(value: bool, now: float) -> list[Condition]:
    return [(f"coalesce(expires <= ?, 0) = {int(value)}", (now,))]


LISTING = Listing(
    table="api_tokens",
    columns="id, user, name, hash, scope, created, expires, used, used_from",
    id="id",
    id_kind=Text,
    sorts={
        "name": Sort("name"),
        "user": Sort("user"),
        "scope": Sort("scope"),
        "created": Sort("created", float),
        "expires": Sort("coalesce(expires, 9e15)", float),
        "used": Sort("coalesce(used, 0.0)", float),
    },
    default="name",
    filters={
        "q": Filter(_Word, words("lower(name || ' ' || user || ' ' || id)"), "words in its name, id or owner's name"),
        "user": Filter(_Word, equals("user"), "only of this user; another than oneself: for administrators"),
        "everybody": Filter(bool, lambda _value, _now: (), "those of all users; for administrators"),
        "scope": Filter(list[Role], any_of("scope"), "only with this scope; several may be given"),
        "expired": Filter(bool, _expired, "whether its time is over"),
    },
)
"""Those that do not end by themselves come last by ``expires``."""


def found(db: sqlite3.Connection, asked: Asked) -> tuple[Found, list[ApiToken]]:
    """The page that is asked for, and its tokens."""
    shown = page(db, LISTING, asked)
    return shown, [ApiToken(*row) for row in shown.rows]


def add(db: sqlite3.Connection, new: ApiToken) -> None:
    """Store a token; raises Conflict where the user has one of this name, or too many."""
    if one(db, "SELECT 1 FROM api_tokens WHERE user = ? AND name = ?", new.user, new.name):
        raise Conflict("name-taken", f"{new.user} has a token {new.name} already", "choose another name", "name")
    counted = one(db, "SELECT count(*) FROM api_tokens WHERE user = ?", new.user)
    if counted and counted[0] >= MOST_PER_USER:
        raise Conflict("tokens-too-many", f"{new.user} has {counted[0]} tokens", "delete those that nobody uses")
    values = (
        new.id,
        new.user,
        new.name,
        new.hash,
        new.scope,
        new.created,
        new.expires,
        new.used,
        new.used_from,
    )
    db.execute("INSERT INTO api_tokens VALUES(?,?,?,?,?,?,?,?,?)", values)


def find(db: sqlite3.Connection, token_hash: str) -> ApiToken | None:
    """The token with this hash, expired or not."""
    row = one(db, "SELECT * FROM api_tokens WHERE hash = ?", token_hash)
    return ApiToken(*row) if row else None


def by_id(db: sqlite3.Connection, key: str) -> ApiToken | None:
    """The token with this id, whoever owns it."""
    row = one(db, "SELECT * FROM api_tokens WHERE id = ?", key)
    return ApiToken(*row) if row else None


def get(db: sqlite3.Connection, key: str, user: str) -> ApiToken:
    """The token with this id, whoever owns it, or the user's own of this name; raises NotFound."""
    sql = "SELECT * FROM api_tokens WHERE id = ? OR (user = ? AND name = ?) ORDER BY id = ? DESC"
    row = one(db, sql, key, user, key, key)
    if row is None:
        raise NotFound("token-unknown", f"there is no token {key[:80]!r}", "see the list of tokens: qrm tokens")
    return ApiToken(*row)


def every(db: sqlite3.Connection, user: str | None = None) -> list[ApiToken]:
    """The tokens of a user, or of everybody, by name."""
    sql = "SELECT * FROM api_tokens WHERE ? IS NULL OR user = ? ORDER BY user, name"
    return [ApiToken(*row) for row in rows(db, sql, user, user)]


def touch(db: sqlite3.Connection, key: str, address: str, now: float) -> None:
    """Remember when the token was used, and from where."""
    db.execute("UPDATE api_tokens SET used = ?, used_from = ? WHERE id = ?", (now, address, key))


def delete(db: sqlite3.Connection, key: str) -> None:
    """Forget a token; it is worthless from here on."""
    db.execute("DELETE FROM api_tokens WHERE id = ?", (key,))
