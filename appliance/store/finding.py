"""What has a name, found by part of it: for a search over everything."""

from dataclasses import dataclass

import aiosqlite


@dataclass(frozen=True, slots=True)
class Found:
    """One thing by name."""

    kind: str
    """``machine``, ``deployment``, ``image`` or ``kernel``."""
    id: str
    name: str
    note: str
    """What tells it from others of a like name: a state, an interface; empty for nothing."""


_QUERIES = {
    "machine": "SELECT id, name, state FROM machines WHERE name LIKE :like ESCAPE '\\' OR id IN"
    " (SELECT machine FROM machine_macs WHERE mac LIKE :like ESCAPE '\\')",
    "deployment": "SELECT id, name, '' FROM deployments WHERE name LIKE :like ESCAPE '\\'",
    "image": "SELECT id, name, '' FROM images WHERE name LIKE :like ESCAPE '\\'",
    "kernel": "SELECT id, name, '' FROM kernels WHERE name LIKE :like ESCAPE '\\'",
}


async def named(db: aiosqlite.Connection, text: str, most: int) -> list[Found]:
    """What has ``text`` in its name, or in the address of an interface; ``most`` of each kind, exact matches first."""
    values = {"like": f"%{_literal(text)}%", "exact": text, "begin": f"{_literal(text)}%", "most": most}
    order = " ORDER BY name <> :exact, name NOT LIKE :begin ESCAPE '\\', name LIMIT :most"
    found: list[Found] = []
    for kind, query in _QUERIES.items():
        async with db.execute(query + order, values) as cursor:
            found += [Found(kind, str(row[0]), row[1], row[2]) for row in await cursor.fetchall()]
    return found


def _literal(text: str) -> str:
    """The text with what LIKE would take for a wildcard escaped."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
