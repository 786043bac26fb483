"""Roots that come over the network: which boot may have one, and what makes it its deployment's own."""

import sqlite3
from collections.abc import Sequence

from appliance.catalogue import ImageId
from appliance.machine import MachineId
from appliance.store.documents import dump, one, rows
from appliance.store.tokens import TOKEN_SECONDS, BootToken, boot_token, end_downloads, end_resident, hash_token, leave
from appliance.workflow import DeploymentId

WAITING = "root AND NOT admitted AND redeemed_by IS NOT NULL"
"""Of a boot token: its boot was told to wait until it is let in. In these words, for they are those of an index."""


def redeem(db: sqlite3.Connection, token: BootToken, taken_by: str, *, admitted: bool) -> None:
    """Trade a boot token for a root: the machine has left its maintenance stack, and no earlier boot gets anything."""
    db.execute("UPDATE boot_tokens SET redeemed_by = ?, admitted = ? WHERE hash = ?", (taken_by, admitted, token.hash))
    leave(db, token.machine, but=token.hash)


def waiting(db: sqlite3.Connection, machine: MachineId) -> BootToken | None:
    """The boot that waits to be let in to the root of this machine, if one does."""
    sql = f"SELECT * FROM boot_tokens WHERE machine = ? AND {WAITING} ORDER BY rowid DESC LIMIT 1"  # noqa: S608 - ours
    row = one(db, sql, machine)
    return boot_token(row) if row else None


def machines_waiting(db: sqlite3.Connection, of: Sequence[MachineId]) -> dict[MachineId, float]:
    """Those of these machines that wait to be let in to their roots, each with when the boot began that waits."""
    these = "machine IN (SELECT value FROM json_each(?))"
    sql = f"SELECT machine, max(expires) FROM boot_tokens WHERE {WAITING} AND {these} GROUP BY machine"  # noqa: S608
    return {MachineId(row[0]): row[1] - TOKEN_SECONDS for row in rows(db, sql, dump(of).decode())}


def admit(db: sqlite3.Connection, token: BootToken) -> None:
    """The boot that has traded this token may have its root."""
    db.execute("UPDATE boot_tokens SET admitted = 1 WHERE hash = ?", (token.hash,))


# -- images that are roots


def put_download(db: sqlite3.Connection, token: str, machine: MachineId, image: ImageId) -> None:
    """Allow one image to be read by the boot of a machine that gets it as its root; its earlier ones no longer."""
    end_downloads(db, machine)
    db.execute("INSERT INTO root_downloads VALUES(?,?,?)", (hash_token(token), machine, image))


# -- layers


def put_layer(db: sqlite3.Connection, deployment: DeploymentId, sealed: bytes) -> None:
    """Keep what makes an image this deployment's own. It has host keys in it, and is sealed before it comes here."""
    db.execute("INSERT OR REPLACE INTO root_layers VALUES(?,?)", (deployment, sealed))


def layer(db: sqlite3.Connection, deployment: DeploymentId) -> bytes | None:
    """What makes an image this deployment's own, sealed."""
    row = one(db, "SELECT content FROM root_layers WHERE deployment = ?", deployment)
    return bytes(row[0]) if row else None


def arrived(db: sqlite3.Connection, machine: MachineId) -> None:
    """The system of the machine runs: whoever reads its kernel's command line there finds a token of no use."""
    db.execute("DELETE FROM boot_tokens WHERE machine = ? AND root", (machine,))
    end_downloads(db, machine)


def end_system(db: sqlite3.Connection, deployment: DeploymentId, machine: MachineId) -> None:
    """The system of a deployment on this machine is nobody's: neither its resident nor a boot of it gets anything."""
    end_resident(db, deployment)
    db.execute("DELETE FROM root_layers WHERE deployment = ?", (deployment,))
    arrived(db, machine)
