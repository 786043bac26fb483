"""Answers that were given to requests with a key, to be given again."""

import sqlite3
from dataclasses import dataclass

from appliance.store.documents import dump, load, one

KEEP_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer to the first request with a key."""

    user: str
    key: str
    request: str
    """Hash of the request: another one may not have the same key."""
    at: float
    status: int
    """0: it was carried out, and its answer never came to be kept."""
    headers: dict[str, str]
    body: bytes


def find(db: sqlite3.Connection, user: str, key: str, now: float) -> Kept | None:
    """The answer to this user's request with this key, if it is not too old."""
    sql = "SELECT * FROM idempotency WHERE user = ? AND key = ? AND at > ?"
    row = one(db, sql, user, key, now - KEEP_SECONDS)
    if row is None:
        return None
    who, named, request, at, status, headers, body = row
    return Kept(who, named, request, at, status, load(headers, dict[str, str]), body)


def keep(db: sqlite3.Connection, new: Kept) -> None:
    """Store an answer, and forget those that are too old."""
    db.execute("DELETE FROM idempotency WHERE at <= ?", (new.at - KEEP_SECONDS,))
    db.execute(
        "INSERT OR REPLACE INTO idempotency VALUES(?,?,?,?,?,?,?)",
        (new.user, new.key, new.request, new.at, new.status, dump(new.headers), new.body),
    )
