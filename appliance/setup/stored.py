"""What set-up keeps in the store, so that nothing typed is lost when a browser or the daemon goes away."""

import hmac
import sqlite3
from typing import TypeVar

import msgspec

from appliance.setup.draft import Draft, Progress
from appliance.store import accounts
from appliance.store.documents import dump, load
from appliance.store.tokens import hash_token

T = TypeVar("T")
_DRAFT, _PROGRESS, _HASH, _EXPIRES = "setup.draft", "setup.progress", "setup.arrival", "setup.arrival-expires"


def draft(db: sqlite3.Connection) -> Draft:
    """What was answered so far."""
    return _read(db, _DRAFT, Draft) or Draft()


def put_draft(db: sqlite3.Connection, value: Draft) -> None:
    """Keep the answers."""
    accounts.put_setting(db, _DRAFT, dump(value).decode())


def progress(db: sqlite3.Connection) -> Progress:
    """How far it has gone."""
    return _read(db, _PROGRESS, Progress) or Progress()


def put_progress(db: sqlite3.Connection, value: Progress) -> None:
    """Keep how far it has gone; what is over takes the way in for who arrives with it."""
    accounts.put_setting(db, _PROGRESS, dump(value).decode())
    if value.phase != "trying":
        _forget_arrival(db)


def _read(db: sqlite3.Connection, key: str, kind: type[T]) -> T | None:
    text = accounts.setting(db, key)
    if text is None:
        return None
    try:
        return load(text.encode(), kind)
    except msgspec.DecodeError:  # written by another version: the questions are asked again
        return None


def put_arrival(db: sqlite3.Connection, token: str, expires: float) -> None:
    """The one token with which a browser may come over the new network; an earlier one is worthless from here on."""
    accounts.put_setting(db, _HASH, hash_token(token))
    accounts.put_setting(db, _EXPIRES, repr(expires))


def is_arrival(db: sqlite3.Connection, token: str, now: float) -> bool:
    """Whether this is that token, and in time."""
    stored, expires = accounts.setting(db, _HASH), accounts.setting(db, _EXPIRES)
    if not stored or not expires or now >= float(expires):
        return False
    return hmac.compare_digest(stored, hash_token(token))


def _forget_arrival(db: sqlite3.Connection) -> None:
    for key in (_HASH, _EXPIRES):
        accounts.put_setting(db, key, None)
