"""What is noted and told once a volume was changed: what is kept of it, the audit log, the event with its reason."""

import sqlite3
from contextlib import suppress
from dataclasses import replace
from typing import Any

from appliance.catalogue import ImageId
from appliance.errors import NotFound
from appliance.events import Event
from appliance.filesystem.ext4 import uuid_for
from appliance.pool import MAKING, Deed, GoldenVolume, KnownPool, KnownVolume, Work
from appliance.reconcile import audit
from appliance.reconcile.record import Tell
from appliance.storage.driver import PoolDriver
from appliance.store import catalogue, goldens, pools
from appliance.volume import Volume

_DONE = {
    Deed.CREATE: "{by} made the volume {name} in {pool}",
    Deed.SNAPSHOT: "{by} made the snapshot {name} of {source} in {pool}",
    Deed.CLONE: "{by} cloned {source} as {name} in {pool}",
    Deed.FILL: "{by} made the golden volume {name} of image {source} in {pool}",
    Deed.GROW: "{by} grew {was} in {pool}",
    Deed.ROLL_BACK: "{by} rolled {was} in {pool} back to {source}",
    Deed.RENAME: "{by} renamed {was} in {pool} to {name}",
    Deed.DELETE: "{by} deleted {was} in {pool}",
}
_ASKED = {
    Deed.CREATE: "making the volume {name} in {pool}",
    Deed.SNAPSHOT: "making the snapshot {name} in {pool}",
    Deed.CLONE: "cloning a volume as {name} in {pool}",
    Deed.FILL: "making the golden volume {name} in {pool}",
    Deed.GROW: "growing {name} in {pool}",
    Deed.ROLL_BACK: "rolling {name} in {pool} back",
    Deed.RENAME: "renaming a volume in {pool} to {name}",
    Deed.DELETE: "deleting {name} in {pool}",
    Deed.MAKE: "making the pool {pool}",
    Deed.ADOPT: "making a pool of the volume group {name}",
    Deed.EXTEND: "extending the pool {pool}",
    Deed.RETIRE: "retiring the pool {pool}",
    Deed.EXAMINE: "checking the pool {pool}",
    Deed.REPAIR: "repairing the pool {pool}",
}


def told_of(pool: KnownPool, work: Work) -> str:
    """What is to be done, in words: the title of its task."""
    words = _ASKED[work.deed].format(name=work.name or work.volume, pool=pool.name)
    return words[0].upper() + words[1:]


async def seen_before(on: PoolDriver, work: Work) -> dict[str, Volume]:
    """The volumes that it is about, as they are, where that is to be noted.

    To ask LVM costs as much as to change something there: for what is made or renamed nothing is asked.
    """
    if work.deed in MAKING or work.deed is Deed.RENAME:
        return {}
    seen = await on.look()
    return {each: found for each in (work.volume, work.source) if each and (found := seen.volume(each))}


def ended(
    db: sqlite3.Connection, tell: Tell, pool: KnownPool, work: Work, before: dict[str, Volume], now: float
) -> None:
    """In one transaction: the work is over."""
    assert work.volume is not None, "it was done to one"
    known = pools.volume(db, work.volume)
    was = before.get(work.volume)
    source = before.get(work.source or "")
    names = {
        "by": work.by.name,
        "pool": pool.name,
        "name": work.name,
        "was": was.name if was else known.name if known else work.name or work.volume,
        "source": source.name if source else _name_of(db, work),
    }
    _keep(db, work, known, now)
    pools.drop_work(db, work.id)
    subject = ("volume", work.volume, work.name or str(names["was"]))
    audit.note(db, work.by, work.deed, subject, *_differing(work, was, names), now=now)
    detail = {**pool.detail, "volume": work.volume, "deed": work.deed, "task": work.task}
    tell(Event("volume.changed", now, _DONE[work.deed].format(**names), work.reason, detail=detail))


def _name_of(db: sqlite3.Connection, work: Work) -> str:
    if work.deed is Deed.FILL:
        with suppress(NotFound):
            return catalogue.image(db, ImageId(int(work.of))).name
    known = pools.volume(db, work.source) if work.source else None
    return known.name if known else str(work.source or "")


def _keep(db: sqlite3.Connection, work: Work, known: KnownVolume | None, now: float) -> None:
    assert work.volume is not None, "it was done to one"
    if work.deed is Deed.DELETE:
        pools.drop_volume(db, work.volume)
    elif work.deed in MAKING:
        pools.put_volume(db, KnownVolume(work.volume, work.pool, work.name, work.use, work.of, work.golden, now))
        if work.deed is Deed.FILL:
            uuid, image = uuid_for(work.volume), ImageId(int(work.of))
            goldens.put(db, GoldenVolume(work.volume, work.pool, image, work.sha256, uuid, work.size))
    elif work.deed is Deed.RENAME:
        of = known or KnownVolume(work.volume, work.pool, work.name, created=now)
        pools.put_volume(db, replace(of, name=work.name))


def _differing(work: Work, was: Volume | None, names: dict[str, str]) -> tuple[Any, Any]:
    """Before and after, for the audit log."""
    match work.deed:
        case Deed.CREATE:
            return None, {"name": work.name, "size": work.size, "pool": names["pool"]}
        case Deed.FILL:
            made = {"name": work.name, "size": work.size, "pool": names["pool"], "image": names["source"]}
            return None, {**made, "sha256": work.sha256}
        case Deed.SNAPSHOT | Deed.CLONE:
            made = {"name": work.name, "size": work.size, "pool": names["pool"], "origin": names["source"]}
            return None, {**made, "read_only": work.read_only}
        case Deed.GROW:
            return {"size": was.size if was else None}, {"size": work.size}
        case Deed.RENAME:
            return {"name": names["was"]}, {"name": work.name}
        case Deed.DELETE:
            gone = {"size": was.size, "read_only": was.read_only} if was else {}
            return {"name": names["was"], "pool": names["pool"], **gone}, None
    return {"content": "as it was"}, {"content": f"that of {names['source']}"}
