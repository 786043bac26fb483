"""ISOs, and how they are listed."""

import sqlite3
from dataclasses import replace
from typing import Annotated

import msgspec

from appliance.errors import Conflict, NotFound
from appliance.iso import Iso, IsoId
from appliance.store.documents import dump, load, one, rows
from appliance.store.listing import Filter, Listing, Number, Sort, words

LISTING = Listing(
    table="isos i",
    columns="i.doc",
    id="i.id",
    sorts={
        "name": Sort("i.name"),
        "size": Sort("json_extract(CAST(i.doc AS TEXT), '$.size')", Number),
        "created": Sort("json_extract(CAST(i.doc AS TEXT), '$.created')", float),
    },
    default="name",
    filters={
        "q": Filter(
            Annotated[str, msgspec.Meta(max_length=200)],
            words(
                "lower(i.name || ' ' || json_extract(CAST(i.doc AS TEXT), '$.description') || ' ' ||"
                " json_extract(CAST(i.doc AS TEXT), '$.label'))"
            ),
            "words that are all in its name, description or label",
        ),
    },
)
"""Gives the document; there are a few dozen of them, which may be looked into."""


def every(db: sqlite3.Connection) -> list[Iso]:
    """All by name."""
    return [load(row[0], Iso) for row in rows(db, "SELECT doc FROM isos ORDER BY name")]


def get(db: sqlite3.Connection, key: IsoId | str) -> Iso:
    """The one with this name or id; raises NotFound ``iso-unknown``."""
    row = one(db, "SELECT doc FROM isos WHERE name = ? OR id = ? ORDER BY name <> ?", str(key), key, str(key))
    if row is None:
        raise NotFound("iso-unknown", f"there is no ISO {str(key)[:80]!r}", "list them with: qrm isos", "iso")
    return load(row[0], Iso)


def add(db: sqlite3.Connection, new: Iso) -> Iso:
    """Store a new one; the same with its id. Raises Conflict ``name-taken``, ``iso-there`` for content that is here."""
    _check_name(db, new)
    if same := next((each for each in every(db) if each.sha256 == new.sha256), None):
        hint = f"use {same.name}, or rename it"
        raise Conflict("iso-there", f"the same disc is here already, and called {same.name}", hint, "file")
    cursor = db.execute("INSERT INTO isos(name, doc) VALUES(?,?)", (new.name, b""))
    stored = replace(new, id=IsoId(int(cursor.lastrowid or 0)))
    db.execute("UPDATE isos SET doc=? WHERE id=?", (dump(stored), stored.id))
    return stored


def change(db: sqlite3.Connection, changed: Iso) -> None:
    """Store one that changed; raises Conflict ``name-taken``."""
    _check_name(db, changed)
    db.execute("UPDATE isos SET name=?, doc=? WHERE id=?", (changed.name, dump(changed), changed.id))


def delete(db: sqlite3.Connection, key: IsoId) -> None:
    """Forget one."""
    db.execute("DELETE FROM isos WHERE id=?", (key,))


def _check_name(db: sqlite3.Connection, of: Iso) -> None:
    if one(db, "SELECT id FROM isos WHERE name = ? AND id <> ?", of.name, of.id):
        raise Conflict("name-taken", f"another ISO is called {of.name}", "choose another name", "name")
