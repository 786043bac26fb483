"""How many there are of what, for the metrics."""

import sqlite3

from appliance.store.documents import rows

Counts = dict[tuple[str, ...], float]


def census(db: sqlite3.Connection) -> dict[str, Counts]:
    """Machines by state and tasks by status, by the names of their metrics."""
    return {
        "machines": _by(db, "SELECT state, count(*) FROM machines GROUP BY state"),
        "tasks": _by(db, "SELECT status, count(*) FROM tasks GROUP BY status"),
    }


def _by(db: sqlite3.Connection, sql: str) -> Counts:
    return {(str(row[0]),): float(row[1]) for row in rows(db, sql)}
