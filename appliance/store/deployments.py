"""Deployments and their assignments; the database itself keeps a machine from being assigned twice."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import aiosqlite

from appliance.deployment import Deployment
from appliance.errors import Conflict, NotFound
from appliance.machine import MachineId
from appliance.store.documents import dump, load, one, rows
from appliance.workflow import DeploymentId


async def every(db: aiosqlite.Connection) -> list[Deployment]:
    """All deployments by name."""
    return [load(row[0], Deployment) for row in await rows(db, "SELECT doc FROM deployments ORDER BY name")]


async def find(db: aiosqlite.Connection, deployment: DeploymentId) -> Deployment | None:
    """The deployment with this id."""
    row = await one(db, "SELECT doc FROM deployments WHERE id = ?", deployment)
    return load(row[0], Deployment) if row else None


async def get(db: aiosqlite.Connection, key: DeploymentId | str) -> Deployment:
    """The deployment with this id or name; raises NotFound."""
    row = await one(db, "SELECT doc FROM deployments WHERE name = ? OR id = ?", str(key), key)
    if row is None:
        raise NotFound("deployment-unknown", f"there is no deployment {str(key)[:80]!r}", "qrm deployments lists them")
    return load(row[0], Deployment)


async def of_machine(db: aiosqlite.Connection, machine: MachineId) -> Deployment | None:
    """The deployment that this machine is assigned to."""
    row = await one(db, "SELECT doc FROM deployments WHERE machine = ?", machine)
    return load(row[0], Deployment) if row else None


async def on_machines(db: aiosqlite.Connection, of: Sequence[MachineId]) -> list[Deployment]:
    """The deployments that these machines are assigned to, in one query."""
    sql = "SELECT d.doc FROM json_each(?) m CROSS JOIN deployments d ON d.machine = m.value"
    return [load(row[0], Deployment) for row in await rows(db, sql, dump(of).decode())]


async def machines_of(db: aiosqlite.Connection, of: Iterable[DeploymentId]) -> set[MachineId]:
    """The machines that these deployments are on."""
    sql = "SELECT d.machine FROM json_each(?) j CROSS JOIN deployments d ON d.id = j.value WHERE d.machine IS NOT NULL"
    return {MachineId(row[0]) for row in await rows(db, sql, dump(list(of)).decode())}


async def taken(db: aiosqlite.Connection) -> frozenset[MachineId]:
    """The machines that are assigned to a deployment."""
    found = await rows(db, "SELECT machine FROM deployments WHERE machine IS NOT NULL")
    return frozenset(MachineId(row[0]) for row in found)


async def add(db: aiosqlite.Connection, deployment: Deployment) -> Deployment:
    """Store a new deployment and return it with its id; raises Conflict when its name is taken."""
    if await one(db, "SELECT id FROM deployments WHERE name = ?", deployment.name):
        raise Conflict("name-taken", f"another deployment is called {deployment.name}", field="name")
    async with db.execute(
        "INSERT INTO deployments(name, image, machine, doc) VALUES(?,?,?,?)",
        (deployment.name, deployment.image, deployment.machine, b""),
    ) as cursor:
        stored = replace(deployment, id=DeploymentId(int(cursor.lastrowid or 0)))
    await put(db, stored)
    return stored


async def put(db: aiosqlite.Connection, deployment: Deployment) -> None:
    """Store a changed deployment."""
    await db.execute(
        "UPDATE deployments SET name=?, image=?, machine=?, doc=? WHERE id=?",
        (deployment.name, deployment.image, deployment.machine, dump(deployment), deployment.id),
    )


async def delete(db: aiosqlite.Connection, deployment: DeploymentId) -> None:
    """Forget the deployment."""
    await db.execute("DELETE FROM deployments WHERE id = ?", (deployment,))
