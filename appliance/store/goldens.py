"""Which golden volume was made of which image, and what of it was not asked of a pool."""

import sqlite3
from typing import Any

from appliance.catalogue import ImageId
from appliance.pool import GoldenVolume
from appliance.store.documents import rows
from appliance.volume import PoolId, VolumeId

_GOLDEN = (
    "SELECT g.volume, v.pool, g.image, g.sha256, g.fs_uuid, g.size, v.name, v.golden"
    " FROM golden_volumes g JOIN volumes v ON v.id = g.volume"
)


def _golden(row: Any) -> GoldenVolume:
    return GoldenVolume(
        VolumeId(row[0]), PoolId(row[1]), ImageId(row[2]), row[3], row[4], row[5], name=row[6], golden=bool(row[7])
    )


def find(db: sqlite3.Connection, image: ImageId, sha256: str, pool: PoolId) -> GoldenVolume | None:
    """The one with that content of the image in that pool; the newest, if there are several."""
    sql = f"{_GOLDEN} WHERE g.image = ? AND g.sha256 = ? AND v.pool = ? ORDER BY v.created DESC LIMIT 1"
    found = [_golden(row) for row in rows(db, sql, image, sha256, pool)]
    return found[0] if found else None


def of_image(db: sqlite3.Connection, image: ImageId) -> list[GoldenVolume]:
    """All of an image, in whichever pool, by pool and name."""
    return [_golden(row) for row in rows(db, f"{_GOLDEN} WHERE g.image = ? ORDER BY v.pool, v.name", image)]


def put(db: sqlite3.Connection, of: GoldenVolume) -> None:
    """Store what is not in the volume's own row, which has to be there. One of what the image held before is golden no
    longer: whoever wants the room may delete it.
    """
    db.execute(
        "INSERT OR REPLACE INTO golden_volumes(volume, image, sha256, fs_uuid, size) VALUES(?,?,?,?,?)",
        (of.volume, of.image, of.sha256, of.fs_uuid, of.size),
    )
    db.execute(
        "UPDATE volumes SET golden = 0 WHERE pool = ? AND id IN"
        " (SELECT volume FROM golden_volumes WHERE image = ? AND sha256 <> ?)",
        (of.pool, of.image, of.sha256),
    )


def release(db: sqlite3.Connection, image: ImageId) -> list[GoldenVolume]:
    """The image is deleted: its volumes stay, and are golden no longer. Those that were."""
    found = [each for each in of_image(db, image) if each.golden]
    db.executemany("UPDATE volumes SET golden = 0 WHERE id = ?", [(each.volume,) for each in found])
    db.execute("DELETE FROM golden_volumes WHERE image = ?", (image,))
    return found
