"""Root volumes with their exports, and the secrets of those, sealed before they come here."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from appliance.root_volume import RootVolume
from appliance.store.documents import dump, load, one, rows
from appliance.volume import VolumeId
from appliance.workflow import DeploymentId


def every(db: sqlite3.Connection) -> list[RootVolume]:
    """All, those among them that are to be deleted; the oldest first."""
    return [load(row[0], RootVolume) for row in rows(db, "SELECT doc FROM root_volumes ORDER BY rowid")]


def of_deployment(db: sqlite3.Connection, deployment: DeploymentId) -> RootVolume | None:
    """The one that a deployment has its system on, or is getting it on."""
    row = one(db, "SELECT doc FROM root_volumes WHERE deployment = ? AND NOT doomed", deployment)
    return load(row[0], RootVolume) if row else None


def all_of(db: sqlite3.Connection, deployment: DeploymentId) -> list[RootVolume]:
    """The same, and those that it had before and that are to be deleted."""
    found = rows(db, "SELECT doc FROM root_volumes WHERE deployment = ? ORDER BY rowid", deployment)
    return [load(row[0], RootVolume) for row in found]


def of_deployments(db: sqlite3.Connection, of: Sequence[DeploymentId]) -> dict[DeploymentId, RootVolume]:
    """Those that these deployments have their systems on, in one query."""
    sql = "SELECT r.doc FROM json_each(?) d JOIN root_volumes r ON r.deployment = d.value AND NOT r.doomed"
    found = (load(row[0], RootVolume) for row in rows(db, sql, dump(of).decode()))
    return {each.deployment: each for each in found}


def find(db: sqlite3.Connection, volume: VolumeId) -> RootVolume | None:
    """The one with this id."""
    row = one(db, "SELECT doc FROM root_volumes WHERE volume = ?", volume)
    return load(row[0], RootVolume) if row else None


def put(db: sqlite3.Connection, root: RootVolume) -> None:
    """Store it; where it has no export any more, the secret of that is forgotten."""
    sql = (
        "INSERT INTO root_volumes(volume, deployment, doomed, secret, doc) VALUES(?1, ?2, ?3, x'', ?4)"
        " ON CONFLICT(volume) DO UPDATE SET doomed = ?3, doc = ?4, secret = iif(?5, secret, x'')"
    )
    db.execute(sql, (root.volume, root.deployment, root.doomed, dump(root), root.grant is not None))


def put_secret(db: sqlite3.Connection, root: RootVolume, sealed: bytes) -> None:
    """Keep the secret of its export."""
    db.execute("UPDATE root_volumes SET secret = ? WHERE volume = ?", (sealed, root.volume))


def secret(db: sqlite3.Connection, root: RootVolume) -> bytes:
    """The secret of its export, sealed; no bytes for none."""
    row = one(db, "SELECT secret FROM root_volumes WHERE volume = ?", root.volume)
    return bytes(row[0]) if row else b""


def doom(db: sqlite3.Connection, root: RootVolume) -> None:
    """Nobody wants it any more."""
    put(db, replace(root, doomed=True))


def stray(db: sqlite3.Connection) -> list[RootVolume]:
    """Those that nobody has doomed, and whose deployments are on no machine any more, or are gone."""
    sql = (
        "SELECT r.doc FROM root_volumes r LEFT JOIN deployments d ON d.id = r.deployment"
        " WHERE NOT r.doomed AND d.machine IS NULL"
    )
    return [load(row[0], RootVolume) for row in rows(db, sql)]


def drop(db: sqlite3.Connection, volume: VolumeId) -> None:
    """It is deleted."""
    db.execute("DELETE FROM root_volumes WHERE volume = ?", (volume,))
