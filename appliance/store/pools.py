"""Pools that are ours, what their volumes are for, work under way, and what was told of each pool last."""

import sqlite3
from dataclasses import replace
from typing import Any, TypeVar

from appliance.errors import Conflict, NotFound
from appliance.pool import OF_POOLS, KnownPool, KnownVolume, Use, Work, holds_up, is_long
from appliance.store.documents import dump, load, one, rows
from appliance.task import TaskId
from appliance.volume import PoolId, PoolKind, VolumeId

T = TypeVar("T")

_POOL = "SELECT id, name, kind, place, created, retired FROM pools"
_VOLUME = "SELECT id, pool, name, use, of, golden, created FROM volumes"


def _pool(row: Any) -> KnownPool:
    return KnownPool(PoolId(row[0]), row[1], PoolKind(row[2]), row[3], row[4], row[5])


def _volume(row: Any) -> KnownVolume:
    return KnownVolume(VolumeId(row[0]), PoolId(row[1]), row[2], Use(row[3]), row[4], bool(row[5]), row[6])


def every(db: sqlite3.Connection) -> list[KnownPool]:
    """All that are not retired, by name."""
    return [_pool(row) for row in rows(db, f"{_POOL} WHERE retired IS NULL ORDER BY name")]


def find(db: sqlite3.Connection, pool: PoolId) -> KnownPool | None:
    """The one with this number, retired or not."""
    row = one(db, f"{_POOL} WHERE id = ?", pool)
    return _pool(row) if row else None


def get(db: sqlite3.Connection, key: PoolId | str) -> KnownPool:
    """The one with this name or number that is not retired; raises NotFound ``pool-unknown``."""
    sql = f"{_POOL} WHERE retired IS NULL AND (name = ? OR CAST(id AS TEXT) = ?) ORDER BY name <> ?"
    row = one(db, sql, str(key), str(key), str(key))
    if row is None:
        raise NotFound("pool-unknown", f"there is no pool {str(key)[:80]!r}", "list them, then name one of them")
    return _pool(row)


def add(db: sqlite3.Connection, pool: KnownPool) -> KnownPool:
    """Store a new pool; the same with its number. Raises Conflict ``pool-taken``, for its name or its place."""
    _check_free(db, pool)
    cursor = db.execute(
        "INSERT INTO pools(name, kind, place, created) VALUES(?,?,?,?)",
        (pool.name, pool.kind, pool.place, pool.created),
    )
    return replace(pool, id=PoolId(int(cursor.lastrowid or 0)))


def put(db: sqlite3.Connection, pool: KnownPool) -> None:
    """Store a pool that changed. Raises Conflict ``pool-taken``."""
    if pool.retired is None:
        _check_free(db, pool)
    sql = "UPDATE pools SET name = ?, kind = ?, place = ?, retired = ? WHERE id = ?"
    db.execute(sql, (pool.name, pool.kind, pool.place, pool.retired, pool.id))


def _check_free(db: sqlite3.Connection, pool: KnownPool) -> None:
    sql = (
        "SELECT name, place FROM pools WHERE retired IS NULL AND id <> ? AND (name = ? OR (place <> '' AND place = ?))"
    )
    row = one(db, sql, pool.id, pool.name, pool.place)
    if row and row[0] == pool.name:
        raise Conflict("pool-taken", f"another pool is called {pool.name}", "choose another name", "name")
    if row:
        raise Conflict("pool-taken", f"{pool.place} is the pool {row[0]} already", "use that pool", "place")


def delete(db: sqlite3.Connection, pool: PoolId) -> None:
    """Forget a pool that was never made."""
    db.execute("DELETE FROM pools WHERE id = ?", (pool,))


# -- volumes


def volume(db: sqlite3.Connection, key: VolumeId) -> KnownVolume | None:
    """What is kept of a volume, where anything is."""
    row = one(db, f"{_VOLUME} WHERE id = ?", key)
    return _volume(row) if row else None


def volumes(db: sqlite3.Connection, pool: PoolId) -> dict[VolumeId, KnownVolume]:
    """What is kept of the volumes of a pool."""
    found = (_volume(row) for row in rows(db, f"{_VOLUME} WHERE pool = ? ORDER BY name", pool))
    return {each.id: each for each in found}


def volumes_of(db: sqlite3.Connection, use: Use, of: str) -> list[KnownVolume]:
    """Those of an image, a deployment, a VM."""
    return [_volume(row) for row in rows(db, f"{_VOLUME} WHERE use = ? AND of = ? ORDER BY created", use, of)]


def put_volume(db: sqlite3.Connection, of: KnownVolume) -> None:
    """Store what a volume is for."""
    db.execute(
        "INSERT OR REPLACE INTO volumes(id, pool, name, use, of, golden, created) VALUES(?,?,?,?,?,?,?)",
        (of.id, of.pool, of.name, of.use, of.of, of.golden, of.created),
    )


def drop_volume(db: sqlite3.Connection, key: VolumeId) -> None:
    """Forget it, and of which image it was made."""
    db.execute("DELETE FROM volumes WHERE id = ?", (key,))
    db.execute("DELETE FROM golden_volumes WHERE volume = ?", (key,))


def described(db: sqlite3.Connection) -> dict[str, Any]:
    """All that is kept, retired pools among it, for whoever looks for a mistake; who asked for what is left out."""
    found = [load(dump(work), dict) for work in works(db)]
    return {
        "pools": [_pool(row) for row in rows(db, f"{_POOL} ORDER BY id")],
        "volumes": [_volume(row) for row in rows(db, f"{_VOLUME} ORDER BY pool, id")],
        "work": [{key: value for key, value in each.items() if key != "by"} for each in found],
        "told": [{"pool": row[0], **load(row[1], dict)} for row in rows(db, "SELECT pool, doc FROM pools_told")],
    }


# -- work under way


def add_work(db: sqlite3.Connection, kind: PoolKind, work: Work) -> Work:
    """Store work that is to be done in a pool of this kind; the same with its number.

    Raises Conflict ``volume-busy`` where something else is under way with its volume, and ``pool-busy`` where it would
    be done at once, and waits for something long instead.
    """
    for other in works(db, work.pool):
        _check_beside(kind, work, other)
    cursor = db.execute("INSERT INTO pool_work(pool, task, doc) VALUES(?,?,?)", (work.pool, work.task, b""))
    stored = replace(work, id=int(cursor.lastrowid or 0))
    put_work(db, stored)
    return stored


def _check_beside(kind: PoolKind, work: Work, other: Work) -> None:
    where = f"task {other.task}" if other.task else "a change"
    hint = "wait until that has ended"
    touched = {other.volume, other.source} - {None}
    if work.deed in OF_POOLS or other.deed in OF_POOLS:
        raise Conflict("pool-busy", f"{where} ({other.deed}) is under way in this pool", hint)
    if work.volume in touched or (work.source is not None and work.source == other.volume):
        raise Conflict("volume-busy", f"{where} ({other.deed}) is under way with this volume", hint)
    if holds_up(kind, other.deed) and not is_long(kind, work.deed):
        raise Conflict("pool-busy", f"{where} ({other.deed}) is under way in this pool", hint)


def put_work(db: sqlite3.Connection, work: Work) -> None:
    """Store work that changed."""
    db.execute("UPDATE pool_work SET task = ?, doc = ? WHERE id = ?", (work.task, dump(work), work.id))


def work(db: sqlite3.Connection, number: int) -> Work | None:
    """The one with this number; None once it has ended."""
    row = one(db, "SELECT doc FROM pool_work WHERE id = ?", number)
    return load(row[0], Work) if row else None


def work_of_task(db: sqlite3.Connection, task: TaskId) -> Work | None:
    """What a task has to do; None once it was done."""
    row = one(db, "SELECT doc FROM pool_work WHERE task = ?", task)
    return load(row[0], Work) if row else None


def works(db: sqlite3.Connection, pool: PoolId | None = None) -> list[Work]:
    """All that is under way, or what is in one pool; the oldest first."""
    sql = "SELECT doc FROM pool_work WHERE pool = ? OR ? IS NULL ORDER BY id"
    return [load(row[0], Work) for row in rows(db, sql, pool, pool)]


def stray_works(db: sqlite3.Connection) -> list[Work]:
    """Work of tasks that have ended."""
    sql = "SELECT w.doc FROM pool_work w LEFT JOIN tasks t ON t.id = w.task"
    where = "w.task IS NOT NULL AND (t.id IS NULL OR t.ended IS NOT NULL)"
    return [load(row[0], Work) for row in rows(db, f"{sql} WHERE {where} ORDER BY w.id")]


def drop_work(db: sqlite3.Connection, number: int) -> None:
    """It has ended."""
    db.execute("DELETE FROM pool_work WHERE id = ?", (number,))


# -- what was told


def told(db: sqlite3.Connection, pool: PoolId, kind: type[T]) -> T | None:
    """What was told of a pool last."""
    row = one(db, "SELECT doc FROM pools_told WHERE pool = ?", pool)
    return load(row[0], kind) if row else None


def put_told(db: sqlite3.Connection, pool: PoolId, what: object) -> None:
    """Store it."""
    db.execute("INSERT OR REPLACE INTO pools_told(pool, doc) VALUES(?,?)", (pool, dump(what)))
