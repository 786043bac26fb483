"""Frozen dataclasses as JSON documents in a column, checked when read back."""

from typing import Any, TypeVar

import aiosqlite
import msgspec

T = TypeVar("T")


def dump(value: Any) -> bytes:
    """The document of a value."""
    return msgspec.json.encode(value)


def load(document: bytes, kind: type[T]) -> T:
    """The value of a document; raises msgspec.ValidationError when it is not one."""
    return msgspec.json.decode(document, type=kind)


async def one(db: aiosqlite.Connection, sql: str, *values: Any) -> Any | None:
    """The first row of a query, or None."""
    async with db.execute(sql, values) as cursor:
        return await cursor.fetchone()


async def rows(db: aiosqlite.Connection, sql: str, *values: Any) -> list[Any]:
    """All rows of a query."""
    async with db.execute(sql, values) as cursor:
        return list(await cursor.fetchall())
