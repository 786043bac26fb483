"""What the store knows of a subnet by the name of its interface, when that gets another name."""

import sqlite3
from collections.abc import Mapping

_TABLES = ("leases", "subnet_rules", "subnet_service")


def rename_interfaces(db: sqlite3.Connection, moves: Mapping[str, str]) -> None:
    """Leases and chosen rules go on under the new names, old to new; what stood under a new name before gives way."""
    for old, new in moves.items():
        for table in _TABLES:
            db.execute(f"UPDATE OR REPLACE {table} SET interface = ? WHERE interface = ?", (new, old))  # noqa: S608
