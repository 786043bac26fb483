"""What users changed, and who came in: rows that are written once and never changed, bounded in number and age."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from appliance.decoding import decoded
from appliance.store.documents import rows
from appliance.store.listing import Filter, Listing, Number, Sort, at_least, below, equals

KEEP = 100_000
"""Entries that are kept at most."""
KEEP_SECONDS = 366 * 86400.0
"""How long an entry is kept at most."""
SLICE = 5000
"""Entries that are forgotten in one transaction: others wait for it."""

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One change, or one log-in that was made or failed."""

    at: float
    who: str
    role: str
    """The role that it was done with; empty for somebody who did not get in."""
    via: str
    """``session``, ``token NAME``, or ``appliance``."""
    address: str
    action: str
    """Noun and verb, as in ``machine.change``."""
    kind: str
    """What kind of thing the subject is."""
    subject: str
    """Its id."""
    name: str
    """What it was called."""
    outcome: str = "done"
    """``done``, or ``failed``."""
    before: Document | None = None
    """What differs, as it was; None for something that was not there."""
    after: Document | None = None
    id: int = 0


class _Changes(msgspec.Struct):
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


def add(db: sqlite3.Connection, entry: Entry) -> Entry:
    """Store an entry and return it with its number."""
    document = msgspec.json.encode({"before": entry.before, "after": entry.after})
    values = (
        entry.at,
        entry.who,
        entry.role,
        entry.via,
        entry.address,
        entry.action,
        entry.kind,
        entry.subject,
        entry.name,
        entry.outcome,
        document,
    )
    columns = "at, who, role, via, address, action, kind, subject, name, outcome, doc"
    sql = f"INSERT INTO audit({columns}) VALUES(?,?,?,?,?,?,?,?,?,?,?)"
    cursor = db.execute(sql, values)
    return replace(entry, id=int(cursor.lastrowid or 0))


def entry_of(row: tuple[Any, ...]) -> Entry:
    """The entry of a row of ``LISTING``."""
    number, at, who, role, via, address, action, kind, subject, name, outcome, document = row
    changes = decoded(document, _Changes)
    return Entry(
        at, who, role, via, address, action, kind, subject, name, outcome, changes.before, changes.after, number
    )


LISTING = Listing(
    table="audit",
    columns="id, at, who, role, via, address, action, kind, subject, name, outcome, doc",
    id="id",
    sorts={"at": Sort("at", float)},
    default="-at",
    filters={
        "who": Filter(str, equals("who"), "only what this user did"),
        "action": Filter(str, lambda value, _: _actions(value), "only this action, or all of a noun: `machine`"),
        "subject": Filter(
            str,
            lambda value, _: [("(subject = ? OR name = ?)", (value, value))],
            "only what was done to this, by name or id",
        ),
        "since": Filter(float, at_least("at"), "only from this Unix time on"),
        "before": Filter(float, below("at"), "only from before this Unix time"),
    },
    id_kind=Number,
)


def _actions(value: str) -> list[tuple[str, tuple[Any, ...]]]:
    if "." in value:
        return [("action = ?", (value,))]
    return [("action >= ? AND action < ?", (f"{value}.", f"{value}/"))]  # / is what comes after . in ASCII


def prune(db: sqlite3.Connection, now: float) -> bool:
    """Forget what is too old, and the oldest of too many, SLICE at most; whether to call it once more.

    Of too many the oldest go of whoever did most: nobody can wash away what others did, nor much of what they did
    themselves by doing nothing else. Those who did not get in count as one.
    """
    sql = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ? ORDER BY id LIMIT ?)"
    cursor = db.execute(sql, (now - KEEP_SECONDS, SLICE))
    if cursor.rowcount >= SLICE:
        return True
    counted = rows(db, f"SELECT {_DOER}, count(*) FROM audit GROUP BY 1 ORDER BY 2 DESC")  # noqa: S608 - ours
    surplus = min(sum(many for _, many in counted) - KEEP, SLICE)
    if surplus <= 0:
        return False
    sql = f"DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE {_DOER} = ? ORDER BY id LIMIT ?)"  # noqa: S608
    db.execute(sql, (counted[0][0], surplus))
    return True


_DOER = "CASE role WHEN '' THEN '' ELSE who END"
"""Who did it; empty for all together who did not get in, and call themselves what they like."""


def actors(db: sqlite3.Connection) -> list[str]:
    """Everybody who did something, by name; not those who failed to get in, who call themselves what they like."""
    return [row[0] for row in rows(db, _ACTORS)]


_ACTORS = """
    WITH RECURSIVE actors(who) AS (
        SELECT min(who) FROM audit WHERE role <> ''
        UNION ALL
        SELECT (SELECT min(a.who) FROM audit a WHERE a.role <> '' AND a.who > actors.who)
        FROM actors WHERE actors.who IS NOT NULL
    )
    SELECT who FROM actors WHERE who IS NOT NULL LIMIT 500
"""
"""From one name to the next in the index: SELECT DISTINCT would read all entries of everybody."""
