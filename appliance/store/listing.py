"""Filtering, sorting and paging in SQL, from what a noun declares as data.

Pages follow each other by key, not by number: a cursor holds the last row's sort value and id, so that whatever is
inserted or deleted between two pages, nothing that stays is missed or shown twice.
"""

import base64
import binascii
import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from appliance.decoding import decoded
from appliance.errors import Invalid
from appliance.store.documents import one, rows

LIMIT, LARGEST = 100, 1000
"""Rows of a page: when nobody says, and at most."""

Text = Annotated[str, msgspec.Meta(max_length=4000)]
Number = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
"""What a cursor may hold of them: SQLite takes 64 bits, JSON carries 53 between all programs."""

Condition = tuple[str, tuple[Any, ...]]
"""SQL with its values."""
Test = Callable[[Any, float], Iterable[Condition]]
"""From a filter's value and the time, the conditions that all have to hold."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One parameter that narrows a list."""

    kind: Any
    """The type of its value, as msgspec checks it; a ``list`` may be given several times."""
    test: Test
    says: str
    """What it means, for the API's document."""
    table: str = ""
    """What stands after FROM where it is used, to name an index that SQLite would not take; empty: the listing's."""


@dataclass(frozen=True, slots=True)
class Sort:
    """One order of a list. ``column`` is SQL that is never NULL; an index on (column, id) makes it cheap."""

    column: str
    kind: Any = Text
    """``Text``, ``Number`` or ``float``: of its value in a cursor."""


@dataclass(frozen=True, slots=True)
class Listing:
    """How a noun is listed. Every string in it is SQL of ours, none comes from outside."""

    table: str
    """What stands after FROM, with its joins."""
    columns: str
    """What stands after SELECT."""
    id: str
    """The unique column that decides between equal sort values."""
    sorts: Mapping[str, Sort]
    default: str
    """The order when nobody says, such as ``name`` or ``-id`` (descending)."""
    filters: Mapping[str, Filter] = field(default_factory=dict)
    id_kind: Any = Number
    always: Callable[[float], Iterable[Condition]] = lambda _: ()
    """From the time, what has to hold of every row, whatever is asked for."""
    largest: int = LARGEST
    """Rows of a page at most."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to see of a list."""

    filters: Mapping[str, Any] = field(default_factory=dict)
    sort: str = ""
    """A name of the listing's sorts, with ``-`` in front for descending; empty: its default."""
    limit: int = LIMIT
    cursor: str = ""
    """``next`` of the page before; empty: from the beginning."""
    offset: int = 0
    """Rows to skip, for pages with numbers; not with a cursor."""
    now: float = 0.0
    """Unix time, for filters that depend on it."""


@dataclass(frozen=True, slots=True)
class Found:
    """One page: rows of the listing's columns, the cursor of the next page, and how many rows match in all."""

    rows: Sequence[tuple[Any, ...]]
    next: str | None
    total: int


def equals(column: str) -> Test:
    """The column is the value."""
    return lambda value, _: [(f"{column} = ?", (value,))]


def any_of(column: str) -> Test:
    """The column is one of the values."""
    return lambda values, _: [(f"{column} IN ({','.join('?' * len(values))})", tuple(values))]


def each_of(sql: str) -> Test:
    """The condition, which has one ``?``, holds for every one of the values."""
    return lambda values, _: [(sql, (value,)) for value in values]


def words(column: str) -> Test:
    """Every word of the value is somewhere in the column, which is lower case."""
    return lambda value, _: [(f"instr({column}, ?) > 0", (word,)) for word in value.lower().split()[:16]]


def flag(sql: str) -> Test:
    """The condition holds, or does not, as the value says; it has no ``?`` and is never NULL."""
    return lambda value, _: [(sql if value else f"NOT ({sql})", ())]


def at_least(column: str) -> Test:
    """The column is the value or more."""
    return lambda value, _: [(f"{column} >= ?", (value,))]


def below(column: str) -> Test:
    """The column is less than the value."""
    return lambda value, _: [(f"{column} < ?", (value,))]


def page(db: sqlite3.Connection, listing: Listing, asked: Asked) -> Found:
    """The page that is asked for.

    Raises Invalid ``sort-unknown``, and ``cursor-invalid`` for a cursor that is not of this list, order and filter.
    """
    name, descending = _order(listing, asked.sort)
    sort = listing.sorts[name]
    conditions = _conditions(listing, asked)
    keys = f"{sort.column}, {listing.id}"
    if asked.cursor:
        after = _opened(listing, asked, sort)
        conditions.append((f"({keys}) {'<' if descending else '>'} (?, ?)", after))
    where, values = _where(conditions)
    turned = "DESC" if descending else "ASC"
    sql = (
        f"SELECT {listing.columns}, {keys} FROM {_table(listing, asked)} {where}"  # noqa: S608 - declared by us
        f" ORDER BY {sort.column} {turned}, {listing.id} {turned} LIMIT ? OFFSET ?"
    )
    found = rows(db, sql, *values, asked.limit + 1, 0 if asked.cursor else asked.offset)
    shown = found[: asked.limit]
    more = len(found) > asked.limit
    all_here = not (more or asked.cursor or asked.offset)  # a search that finds little is not made a second time
    total = len(found) if all_here else count(db, listing, asked)
    return Found([row[:-2] for row in shown], _sealed(listing, asked, *shown[-1][-2:]) if more else None, total)


def count(db: sqlite3.Connection, listing: Listing, asked: Asked) -> int:
    """How many rows match, on all pages together."""
    where, values = _where(_conditions(listing, asked))
    row = one(db, f"SELECT count(*) FROM {_table(listing, asked)} {where}", *values)  # noqa: S608 - ours
    return int(row[0]) if row else 0


def selection(listing: Listing, asked: Asked) -> tuple[str, tuple[Any, ...]]:
    """FROM and WHERE of everything that matches, with the values: for counts by group, and for whole selections."""
    where, values = _where(_conditions(listing, asked))
    return f"FROM {_table(listing, asked)} {where}", values


def _table(listing: Listing, asked: Asked) -> str:
    named = (listing.filters[name].table for name in asked.filters)
    return next((table for table in named if table), listing.table)


def _order(listing: Listing, sort: str) -> tuple[str, bool]:
    wanted = sort or listing.default
    name = wanted.removeprefix("-")
    if name not in listing.sorts:
        hint = f"use one of {', '.join(listing.sorts)}, with - in front for descending"
        raise Invalid("sort-unknown", f"there is no order {sort[:40]!r}", hint, "sort")
    return name, wanted.startswith("-")


def _conditions(listing: Listing, asked: Asked) -> list[Condition]:
    given = ((listing.filters[name], value) for name, value in asked.filters.items())
    asked_for = [condition for each, value in given for condition in each.test(value, asked.now)]
    return [*asked_for, *listing.always(asked.now)]


def _where(conditions: Sequence[Condition]) -> tuple[str, tuple[Any, ...]]:
    if not conditions:
        return "", ()
    return f"WHERE {' AND '.join(sql for sql, _ in conditions)}", tuple(v for _, values in conditions for v in values)


def _mark(listing: Listing, asked: Asked) -> str:
    """What a cursor is bound to: list, order, and filters."""
    bound = (listing.table, asked.sort or listing.default, sorted(asked.filters.items()))
    return hashlib.sha256(msgspec.json.encode(bound)).hexdigest()[:12]


def _sealed(listing: Listing, asked: Asked, value: Any, row: Any) -> str:
    text = msgspec.json.encode((_mark(listing, asked), value, row))
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _opened(listing: Listing, asked: Asked, sort: Sort) -> tuple[Any, Any]:
    """Sort value and id of the last row seen."""
    kind: Any = tuple.__class_getitem__((str, sort.kind, listing.id_kind))
    try:
        text = base64.b64decode(asked.cursor + "=" * (-len(asked.cursor) % 4), altchars=b"-_", validate=True)
        mark, value, row = decoded(text, kind)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise _invalid() from None
    if mark != _mark(listing, asked):
        raise _invalid()
    return value, row


def _invalid() -> Invalid:
    hint = "begin again without a cursor; one is good only for the list, the order and the filters that it came from"
    return Invalid("cursor-invalid", "this cursor is not of this list", hint, "cursor")
