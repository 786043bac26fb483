"""Deployments and their assignments; the database itself keeps a machine from being assigned twice."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace

from appliance.deployment import Deployment
from appliance.errors import Conflict, NotFound
from appliance.machine import MachineId
from appliance.store.documents import dump, load, one, rows
from appliance.workflow import DeploymentId


def every(db: sqlite3.Connection) -> list[Deployment]:
    """All deployments by name."""
    return [load(row[0], Deployment) for row in rows(db, "SELECT doc FROM deployments ORDER BY name")]


def find(db: sqlite3.Connection, deployment: DeploymentId) -> Deployment | None:
    """The deployment with this id."""
    row = one(db, "SELECT doc FROM deployments WHERE id = ?", deployment)
    return load(row[0], Deployment) if row else None


def get(db: sqlite3.Connection, key: DeploymentId | str) -> Deployment:
    """The deployment with this id or name; raises NotFound."""
    row = one(db, "SELECT doc FROM deployments WHERE name = ? OR id = ?", str(key), key)
    if row is None:
        raise NotFound("deployment-unknown", f"there is no deployment {str(key)[:80]!r}", "qrm deployments lists them")
    return load(row[0], Deployment)


def of_machine(db: sqlite3.Connection, machine: MachineId) -> Deployment | None:
    """The deployment that this machine is assigned to."""
    row = one(db, "SELECT doc FROM deployments WHERE machine = ?", machine)
    return load(row[0], Deployment) if row else None


def on_machines(db: sqlite3.Connection, of: Sequence[MachineId]) -> list[Deployment]:
    """The deployments that these machines are assigned to, in one query."""
    sql = "SELECT d.doc FROM json_each(?) m CROSS JOIN deployments d ON d.machine = m.value"
    return [load(row[0], Deployment) for row in rows(db, sql, dump(of).decode())]


def machines_of(db: sqlite3.Connection, of: Iterable[DeploymentId]) -> set[MachineId]:
    """The machines that these deployments are on."""
    sql = "SELECT d.machine FROM json_each(?) j CROSS JOIN deployments d ON d.id = j.value WHERE d.machine IS NOT NULL"
    return {MachineId(row[0]) for row in rows(db, sql, dump(list(of)).decode())}


def taken(db: sqlite3.Connection) -> frozenset[MachineId]:
    """The machines that are assigned to a deployment."""
    found = rows(db, "SELECT machine FROM deployments WHERE machine IS NOT NULL")
    return frozenset(MachineId(row[0]) for row in found)


def add(db: sqlite3.Connection, deployment: Deployment) -> Deployment:
    """Store a new deployment and return it with its id; raises Conflict when its name is taken."""
    if one(db, "SELECT id FROM deployments WHERE name = ?", deployment.name):
        raise Conflict("name-taken", f"another deployment is called {deployment.name}", field="name")
    cursor = db.execute(
        "INSERT INTO deployments(name, image, machine, doc) VALUES(?,?,?,?)",
        (deployment.name, deployment.image, deployment.machine, b""),
    )
    stored = replace(deployment, id=DeploymentId(int(cursor.lastrowid or 0)))
    put(db, stored)
    return stored


def put(db: sqlite3.Connection, deployment: Deployment) -> None:
    """Store a changed deployment."""
    db.execute(
        "UPDATE deployments SET name=?, image=?, machine=?, doc=? WHERE id=?",
        (deployment.name, deployment.image, deployment.machine, dump(deployment), deployment.id),
    )


def delete(db: sqlite3.Connection, deployment: DeploymentId) -> None:
    """Forget the deployment."""
    db.execute("DELETE FROM deployments WHERE id = ?", (deployment,))
