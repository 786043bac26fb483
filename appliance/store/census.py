"""How many there are of what, for the metrics, and whether there is any."""

import sqlite3

from appliance.store.documents import rows

Counts = dict[tuple[str, ...], float]


def census(db: sqlite3.Connection) -> dict[str, Counts]:
    """Machines by state and tasks by status, by the names of their metrics."""
    return {
        "machines": _by(db, "SELECT state, count(*) FROM machines GROUP BY state"),
        "tasks": _by(db, "SELECT status, count(*) FROM tasks GROUP BY status"),
    }


def has_pools(db: sqlite3.Connection) -> bool:
    """Whether there is a pool that is not retired: many computers have none, and load nothing that works with them."""
    return bool(rows(db, "SELECT 1 FROM pools WHERE retired IS NULL LIMIT 1"))


def has_hosts(db: sqlite3.Connection) -> bool:
    """Whether there is a host of VMs on which something of ours is, or that somebody added; as ``has_pools``."""
    return bool(rows(db, "SELECT 1 FROM hosts LIMIT 1"))


def _by(db: sqlite3.Connection, sql: str) -> Counts:
    return {(str(row[0]),): float(row[1]) for row in rows(db, sql)}
