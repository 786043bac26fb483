"""Lists in SQL: nothing is missed or doubled between pages, and a cursor opens only its own list."""

import base64
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.errors import Invalid
from appliance.store.listing import (
    Asked,
    Filter,
    Found,
    Listing,
    Number,
    Sort,
    any_of,
    at_least,
    below,
    each_of,
    equals,
    flag,
    page,
    words,
)

TAGGED = "EXISTS (SELECT 1 FROM tags t WHERE t.thing = things.id AND t.tag = ?)"
THINGS = Listing(
    table="things",
    columns="things.id, things.name",
    id="things.id",
    sorts={
        "name": Sort("things.name"),
        "size": Sort("things.size", Number),
        "weight": Sort("things.weight", float),
        "id": Sort("things.id", Number),
    },
    default="name",
    filters={
        "name": Filter(str, equals("things.name"), "called so"),
        "size": Filter(list[int], any_of("things.size"), "of one of these sizes"),
        "tag": Filter(list[str], each_of(TAGGED), "with all of these tags"),
        "q": Filter(str, words("things.name"), "words in it"),
        "big": Filter(bool, flag("things.size > 2"), "larger than 2"),
        "since": Filter(float, at_least("things.weight"), "as heavy or heavier"),
        "before": Filter(float, below("things.weight"), "lighter"),
        "late": Filter(bool, lambda value, now: [("(things.weight < ?) = ?", (now, value))], "lighter than the time"),
    },
)
SORTS = [name for each in THINGS.sorts for name in (each, f"-{each}")]
Row = tuple[int, str, int, float]

rows_of = st.lists(
    st.tuples(st.text("abc", max_size=2), st.integers(0, 3), st.floats(0, 1, width=16)), min_size=0, max_size=30
)


def with_things(things: list[tuple[str, int, float]], job: Callable[[sqlite3.Connection], Any]) -> Any:
    """What the job gives, run over a database that has these rows."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(
            "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT, size INTEGER, weight REAL);"
            "CREATE TABLE tags (thing INTEGER, tag TEXT);"
        )
        db.executemany("INSERT INTO things(name, size, weight) VALUES(?,?,?)", things)
        return job(db)


def all_ids(db: sqlite3.Connection) -> set[int]:
    return {row[0] for row in db.execute("SELECT id FROM things")}


def change(db: sqlite3.Connection, added: list[tuple[str, int, float]], doomed: int) -> None:
    db.executemany("INSERT INTO things(name, size, weight) VALUES(?,?,?)", added)
    db.execute("DELETE FROM things WHERE id % 7 = ?", (doomed,))


@settings(max_examples=60, deadline=None)
@given(
    things=rows_of,
    sort=st.sampled_from(SORTS),
    limit=st.integers(1, 4),
    added=st.lists(rows_of.map(lambda each: each[:3]), max_size=4),
    doomed=st.integers(0, 6),
)
def test_what_stays_is_seen_exactly_once(
    things: list[tuple[str, int, float]], sort: str, limit: int, added: list[Any], doomed: int
) -> None:
    def job(db: sqlite3.Connection) -> None:
        before, seen, cursor, turns = all_ids(db), list[int](), "", 0
        while True:
            found = page(db, THINGS, Asked(sort=sort, limit=limit, cursor=cursor))
            assert len(found.rows) <= limit
            seen += [row[0] for row in found.rows]
            if found.next is None:
                break
            cursor = found.next
            if turns < len(added):
                change(db, added[turns], doomed)
            turns += 1
            assert turns < 200, "it never ends"
        assert len(seen) == len(set(seen)), "shown twice"
        assert before & all_ids(db) <= set(seen), "missed"

    with_things(things, job)


@settings(max_examples=30, deadline=None)
@given(things=rows_of, sort=st.sampled_from(SORTS), limit=st.integers(1, 50))
def test_pages_together_are_the_sorted_list(things: list[tuple[str, int, float]], sort: str, limit: int) -> None:
    def job(db: sqlite3.Connection) -> list[int]:
        seen, found = list[int](), page(db, THINGS, Asked(sort=sort, limit=limit))
        while True:
            assert found.total == len(things)
            seen += [row[0] for row in found.rows]
            if found.next is None:
                return seen
            assert len(seen) <= len(things), "it never ends"
            found = page(db, THINGS, Asked(sort=sort, limit=limit, cursor=found.next))

    every: list[Row] = [(number, *each) for number, each in enumerate(things, 1)]
    column = {"name": 1, "size": 2, "weight": 3, "id": 0}[sort.removeprefix("-")]
    every.sort(key=lambda row: (row[column], row[0]), reverse=sort.startswith("-"))
    assert with_things(things, job) == [row[0] for row in every]


SOME: list[tuple[str, int, float]] = [("ant", 1, 0.1), ("bee", 2, 0.2), ("bumble bee", 3, 0.3), ("cow", 4, 0.4)]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["ant", "bee", "bumble bee", "cow"]),
        ({"name": "bee"}, ["bee"]),
        ({"q": "BEE"}, ["bee", "bumble bee"]),
        ({"q": "bee mb"}, ["bumble bee"]),
        ({"q": "%"}, []),
        ({"size": [1, 4]}, ["ant", "cow"]),
        ({"big": True}, ["bumble bee", "cow"]),
        ({"big": False}, ["ant", "bee"]),
        ({"tag": ["red"]}, ["ant", "cow"]),
        ({"tag": ["red", "old"]}, ["cow"]),
        ({"since": 0.2, "before": 0.4}, ["bee", "bumble bee"]),
        ({"late": True}, ["ant", "bee"]),
        ({"size": [1, 2, 3], "big": True}, ["bumble bee"]),
    ],
)
def test_filters(filters: dict[str, Any], names: list[str]) -> None:
    def job(db: sqlite3.Connection) -> Found:
        db.executemany("INSERT INTO tags VALUES(?,?)", [(1, "red"), (4, "red"), (4, "old"), (2, "old")])
        return page(db, THINGS, Asked(filters=filters, now=0.25))

    found = with_things(SOME, job)
    assert [row[1] for row in found.rows] == names
    assert found.total == len(names)


def test_pages_by_number() -> None:
    found = with_things(SOME, lambda db: page(db, THINGS, Asked(sort="-size", limit=2, offset=1)))
    assert [row[1] for row in found.rows] == ["bumble bee", "bee"]
    assert found.total == len(SOME)


@pytest.mark.parametrize("limit", [1, 2, len(SOME) - 1, len(SOME), len(SOME) + 1])
def test_every_page_counts_all_that_match(limit: int) -> None:
    def job(db: sqlite3.Connection) -> list[int]:
        first = page(db, THINGS, Asked(limit=limit))
        cursors = [first.next] if first.next else []
        later = [page(db, THINGS, Asked(limit=limit, cursor=each)) for each in cursors]
        beyond = page(db, THINGS, Asked(limit=limit, offset=100))
        return [each.total for each in (first, *later, beyond)]

    assert set(with_things(SOME, job)) == {len(SOME)}


def test_a_cursor_of_elsewhere_is_refused() -> None:
    first = with_things(SOME, lambda db: page(db, THINGS, Asked(limit=1)))
    forged = base64.urlsafe_b64encode(b'["x","ant",1]').decode()
    for asked in (
        Asked(cursor=first.next, sort="-name"),
        Asked(cursor=first.next, sort="size"),
        Asked(cursor=first.next, filters={"q": "e"}),
        Asked(cursor=first.next[:-3]),
        Asked(cursor=forged),
        Asked(cursor="!!"),
        Asked(cursor="\N{SNOWMAN}"),
        Asked(cursor=base64.urlsafe_b64encode(b"\xff").decode()),
    ):
        with pytest.raises(Invalid) as refused:
            with_things(SOME, lambda db, asked=asked: page(db, THINGS, asked))
        assert (refused.value.code, refused.value.field) == ("cursor-invalid", "cursor")


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(Invalid, match="no order"):
        with_things(SOME, lambda db: page(db, THINGS, Asked(sort="colour")))
