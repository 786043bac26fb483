"""Texts of NoCloud seeds, sealed. They go with their deployment."""

import sqlite3

from appliance.store.documents import one
from appliance.workflow import DeploymentId


def put(db: sqlite3.Connection, deployment: DeploymentId, part: str, sealed: bytes) -> None:
    """Keep a part of the seed; no bytes take it away."""
    if sealed:
        db.execute("INSERT OR REPLACE INTO seeds VALUES(?,?,?)", (deployment, part, sealed))
    else:
        db.execute("DELETE FROM seeds WHERE deployment = ? AND part = ?", (deployment, part))


def sealed(db: sqlite3.Connection, deployment: DeploymentId, part: str) -> bytes:
    """A part of the seed; no bytes where there is none."""
    row = one(db, "SELECT content FROM seeds WHERE deployment = ? AND part = ?", deployment, part)
    return bytes(row[0]) if row else b""
