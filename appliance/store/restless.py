"""Machines that the reconcile loop may have to act on, found without reading those that rest."""

import sqlite3
from collections.abc import Sequence

from appliance.machine import Machine, MachineId
from appliance.store.documents import dump, load, rows

_RESTS = "(d.wanted = 'running' AND d.current AND m.state = 'active') OR (d.wanted = 'stopped' AND m.state = 'stopped')"
"""Almost every machine with a deployment, almost always: what is wanted there is so."""


def machines(db: sqlite3.Connection) -> list[Machine]:
    """Machines by name, without inventories: those in rescue or on the way, and those whose deployment does not rest.

    A machine without either is never acted on.
    """
    restless = (
        "SELECT d.machine FROM deployments d INDEXED BY deployments_wanted"  # noqa: S608 - ours
        f" CROSS JOIN machines m ON m.id = d.machine WHERE d.machine IS NOT NULL AND NOT ({_RESTS})"
        " UNION SELECT id FROM machines WHERE rescued = 1"
    )
    sql = f"SELECT doc FROM machines WHERE id IN ({restless}) ORDER BY name"  # noqa: S608 - ours
    return [load(row[0], Machine) for row in rows(db, sql)]


def in_stack(db: sqlite3.Connection, of: Sequence[MachineId]) -> frozenset[MachineId]:
    """Those of these machines whose agent has a session: they run the maintenance stack, as far as we know."""
    sql = "SELECT s.machine FROM json_each(?) i CROSS JOIN machine_sessions s ON s.machine = i.value WHERE s.proven"
    return frozenset(MachineId(row[0]) for row in rows(db, sql, dump(of).decode()))
