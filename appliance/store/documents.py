"""Frozen dataclasses as JSON documents in a column, checked when read back."""

import sqlite3
import threading
from functools import cache
from ipaddress import IPv4Address
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def dump(value: Any) -> bytes:
    """The document of a value."""
    return msgspec.json.encode(value, enc_hook=_as_text)


def load(document: bytes, kind: type[T]) -> T:
    """The value of a document; raises msgspec.ValidationError when it is not one."""
    of: Any = kind
    value: T = _decoder(of).decode(document)
    return value


_making = threading.Lock()
"""msgspec 0.22 notes what it knows of a class on the class before it knows all of it. Another thread that meets the
class in that moment takes what is there, and reads through pointers that are not set yet: SIGSEGV."""


@cache
def _decoder(kind: Any) -> "msgspec.json.Decoder[Any]":
    """Kept: to make one takes several times as long as to read a document."""
    with _making:
        return msgspec.json.Decoder(kind, dec_hook=_from_text)


def _as_text(value: object) -> str:
    if isinstance(value, IPv4Address):
        return str(value)
    raise NotImplementedError(f"documents hold no {type(value).__name__}")


def _from_text(kind: type, text: Any) -> Any:
    if kind is IPv4Address:
        return IPv4Address(text)
    raise NotImplementedError(f"documents hold no {kind.__name__}")


def one(db: sqlite3.Connection, sql: str, *values: Any) -> Any | None:
    """The first row of a query, or None."""
    return next(iter(rows(db, sql, *values)), None)


def rows(db: sqlite3.Connection, sql: str, *values: Any) -> list[Any]:
    """All rows of a query."""
    try:
        return db.execute(sql, values).fetchall()
    except UnicodeEncodeError:
        return []  # a lone surrogate from a hostile request: nothing that is stored equals it
