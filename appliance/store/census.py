"""How many there are of what, for the metrics."""

import aiosqlite

from appliance.store.documents import rows

Counts = dict[tuple[str, ...], float]


async def census(db: aiosqlite.Connection) -> dict[str, Counts]:
    """Machines by state and tasks by status, by the names of their metrics."""
    return {
        "machines": await _by(db, "SELECT state, count(*) FROM machines GROUP BY state"),
        "tasks": await _by(db, "SELECT status, count(*) FROM tasks GROUP BY status"),
    }


async def _by(db: aiosqlite.Connection, sql: str) -> Counts:
    return {(str(row[0]),): float(row[1]) for row in await rows(db, sql)}
