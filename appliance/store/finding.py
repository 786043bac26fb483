"""What has a name, found by part of it, and machines by the codes on their screens: for a search over everything."""

import sqlite3
from dataclasses import dataclass

from appliance.screencode import MEANINGS, ScreenCode, parse


@dataclass(frozen=True, slots=True)
class Found:
    """One thing by name."""

    kind: str
    """``machine``, ``deployment``, ``image``, ``iso``, ``kernel``, ``pool`` or ``volume``; ``sighting``: an interface
    that is no machine's."""
    id: str
    """Of a volume the number of its pool and its own id, with a slash between."""
    name: str
    note: str
    """What tells it from others of a like name: a state, an interface, its pool; empty for nothing."""
    todo: str = ""
    """What to do about it, where it was found by the code on its screen."""


_QUERIES = {
    "machine": "SELECT id, name, state FROM machines WHERE name LIKE :like ESCAPE '\\' OR id IN"
    " (SELECT machine FROM machine_macs WHERE mac LIKE :like ESCAPE '\\')",
    "deployment": "SELECT id, name, '' FROM deployments WHERE name LIKE :like ESCAPE '\\'",
    "image": "SELECT id, name, '' FROM images WHERE name LIKE :like ESCAPE '\\'",
    "iso": "SELECT id, name, '' FROM isos WHERE name LIKE :like ESCAPE '\\'",
    "kernel": "SELECT id, name, '' FROM kernels WHERE name LIKE :like ESCAPE '\\'",
    "pool": "SELECT id, name, '' FROM pools WHERE retired IS NULL AND name LIKE :like ESCAPE '\\'",
    "volume": "SELECT id, name, place FROM (SELECT v.pool || '/' || v.id AS id, v.name AS name,"
    " 'in ' || p.name AS place FROM volumes v JOIN pools p ON p.id = v.pool WHERE p.retired IS NULL)"
    " WHERE name LIKE :like ESCAPE '\\'",
}


def named(db: sqlite3.Connection, text: str, most: int) -> list[Found]:
    """What has ``text`` in its name, or in the address of an interface; ``most`` of each kind, exact matches first."""
    values = {"like": f"%{_literal(text)}%", "exact": text, "begin": f"{_literal(text)}%", "most": most}
    order = " ORDER BY lower(name) <> :exact, name NOT LIKE :begin ESCAPE '\\', name LIMIT :most"
    found: list[Found] = []
    for kind, query in _QUERIES.items():
        cursor = db.execute(query + order, values)
        found += [Found(kind, str(row[0]), row[1], row[2]) for row in cursor.fetchall()]
    return found


_BY_INTERFACE = {
    "machine": "SELECT m.id, m.name FROM machine_macs a JOIN machines m ON m.id = a.machine WHERE a.mac LIKE :like"
    " ORDER BY m.name LIMIT :most",
    "sighting": "SELECT mac, mac FROM sightings WHERE mac LIKE :like AND mac NOT IN (SELECT mac FROM machine_macs)"
    " ORDER BY mac LIMIT :most",
}


def by_code(db: sqlite3.Connection, code: ScreenCode, most: int) -> list[Found]:
    """The machines, and the interfaces that are no machine's yet, that show this code on their screens."""
    meaning = MEANINGS[code.waits]
    found: list[Found] = []
    for kind, query in _BY_INTERFACE.items():
        cursor = db.execute(query, {"like": f"%{code.like}", "most": most})
        found += [Found(kind, str(row[0]), row[1], meaning.text, meaning.todo) for row in cursor.fetchall()]
    return found


def anything(db: sqlite3.Connection, text: str, most: int) -> list[Found]:
    """By the code on a machine's screen, or by name."""
    code = parse(text)
    shown = by_code(db, code, most) if code is not None else []
    return shown + named(db, text.lower(), most)


def _literal(text: str) -> str:
    """The text with what LIKE would take for a wildcard escaped."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
