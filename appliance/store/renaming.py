"""What the store knows of a subnet by the name of its interface, when that gets another name."""

import sqlite3
from collections.abc import Mapping

_CHOSEN = ("subnet_rules", "subnet_service")
_TABLES = ("leases", *_CHOSEN)


def rename_interfaces(db: sqlite3.Connection, moves: Mapping[str, str]) -> None:
    """Leases and chosen rules go on under the new names, old to new.

    Rules that stood under a new name before go: what was left there once must not come into force by a name.
    """
    for old, new in moves.items():
        for table in _CHOSEN:
            db.execute(f"DELETE FROM {table} WHERE interface = ?", (new,))  # noqa: S608 - tables of ours
        for table in _TABLES:
            db.execute(f"UPDATE OR REPLACE {table} SET interface = ? WHERE interface = ?", (new, old))  # noqa: S608 - tables of ours
