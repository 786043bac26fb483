"""Whose a name in the site's domain is: nobody gets one that is managed for another."""

import sqlite3

from appliance.errors import Conflict
from appliance.machine import RESERVED_NAMES
from appliance.store.documents import one

_OWNERS = (
    ("machine", "SELECT 1 FROM machines WHERE name = ?"),
    ("deployment", "SELECT 1 FROM deployments WHERE name = ?"),
    ("reservation", "SELECT 1 FROM reservations WHERE name = ?"),
    ("record", "SELECT 1 FROM dns_records WHERE name = ?"),
)


def check_free(db: sqlite3.Connection, name: str, but: tuple[str, ...] = (), field: str = "name") -> None:
    """Raise Conflict ``name-taken`` where this name is somebody's, other than of the kinds ``but``."""
    if name in RESERVED_NAMES:
        raise Conflict("name-taken", f"{name} is the appliance's own or reserved", "choose another name", field)
    for kind, sql in _OWNERS:
        if kind not in but and one(db, sql, name) is not None:
            text = f"{name} is the name of a {kind}" if kind != "record" else f"{name} has a DNS record"
            raise Conflict("name-taken", text, f"choose another name, or change that {kind} first", field)


def is_taken(db: sqlite3.Connection, name: str) -> bool:
    """Whether a name is somebody's already: one that we make up ourselves gives way to it."""
    try:
        check_free(db, name)
    except Conflict:
        return True
    return False
