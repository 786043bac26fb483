"""Frozen dataclasses as JSON documents in a column, checked when read back."""

import sqlite3
from ipaddress import IPv4Address
from typing import Any, TypeVar

import msgspec

from appliance.decoding import decoder

T = TypeVar("T")


def dump(value: Any) -> bytes:
    """The document of a value."""
    return msgspec.json.encode(value, enc_hook=_as_text)


def load(document: bytes, kind: type[T]) -> T:
    """The value of a document; raises msgspec.ValidationError when it is not one."""
    of: Any = kind
    value: T = decoder(of, _from_text).decode(document)
    return value


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
