"""How the event log is listed: newest first, by what it is about."""

from dataclasses import replace
from typing import Annotated, Literal

import msgspec

from appliance.events import KINDS, PRIVATE
from appliance.store.listing import Condition, Filter, Listing, Number, Sort, Test, any_of, at_least, below, words

Word = Annotated[str, msgspec.Meta(max_length=200)]


def _of(column: str, table: str) -> Test:
    """By id or name; what was deleted is still found by its id."""

    def test(value: str, _: float) -> list[Condition]:
        named = f"SELECT id FROM {table} WHERE name = ? OR id = ?"  # noqa: S608 - ours
        return [(f"{column} = coalesce(({named}), ?)", (value, value, value))]

    return test


LISTING = Listing(
    table="events e",
    columns="e.id, e.doc",
    id="e.id",
    sorts={"id": Sort("e.id", Number), "at": Sort("e.at", float)},
    default="-id",
    filters={
        "kind": Filter(list[Literal[tuple(KINDS)]], any_of("e.kind"), "only of this kind; several may be given"),  # type: ignore[misc]
        "machine": Filter(Word, _of("e.machine", "machines"), "only of this machine, by id or name"),
        "deployment": Filter(Word, _of("e.deployment", "deployments"), "only of this deployment, by id or name"),
        "q": Filter(
            Word, words("e.search"), "words that are all in its text or reason", "events e INDEXED BY events_words"
        ),
        "since": Filter(float, at_least("e.at"), "not before this moment, Unix time"),
        "before": Filter(float, below("e.at"), "before this moment, Unix time"),
    },
)
"""Gives the event's number and its document."""
_PRIVATE = ", ".join(repr(kind) for kind in sorted(PRIVATE))
FOR_ALL = replace(LISTING, always=lambda _: [(f"e.kind NOT IN ({_PRIVATE})", ())])
"""The same for those who are no administrators."""
