"""How a pool is: what of that is worth telling, when it is given more room, when it is looked at again. Pure."""

from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from appliance.events import Event
from appliance.pool import LVM, KnownPool, KnownVolume
from appliance.privileged.thin_layout import CHUNK, KEPT, MOST_METADATA, NOTE
from appliance.volume import ALERT, GRAIN, STOP, Filling, Level, Pool, PoolKind, VolumeId

SLACK = 0.02
"""By how much less has to be used before a level is left: it would be told of again and again otherwise."""
GROW_AT = 0.75
"""Share of a thin pool's data or metadata from which on it is given more, where its group has that: before an alert."""
GROW_BY = 5
"""It is given one of so many parts of what it has."""
NOTED_BY = CHUNK // NOTE
"""Bytes of data that one byte of metadata is enough for, about."""
FAR, NEAR = 60.0, 10.0
"""Seconds between two looks at a pool: while there is much room, and while it may have to be given more."""
NEAR_AT = 0.65
MOST_TOLD = 10
"""Volumes of which each is told of by itself."""
ORDER = tuple(Level)
_WORDS = {
    Level.ALERT: "make or add room before it is full",
    Level.STOP: "no snapshots and clones are made any more: delete volumes, or add a disk to the pool",
    Level.FULL: "nothing can be written any more, and machines that do will fail: delete volumes, or add a disk",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of a pool last; kept over restarts, so that nothing is told twice."""

    data: Level = Level.FINE
    metadata: Level = Level.FINE
    trouble: str = ""
    volumes: dict[str, str] = field(default_factory=dict)
    """What is wrong with single volumes, by id."""
    copied: str = ""
    """The last day of which a copy of LVM's notes is kept."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Bytes that a thin pool is to be given."""

    data: int = 0
    metadata: int = 0


def level_of(share: float, before: Level) -> Level:
    """Up at once, down with some slack."""
    for level, from_on in ((Level.FULL, 1.0), (Level.STOP, STOP), (Level.ALERT, ALERT)):
        if share >= from_on - (SLACK if ORDER.index(before) >= ORDER.index(level) else 0.0):
            return level
    return Level.FINE


def growth(seen: Pool) -> Growth:
    """What a pool is to be given of what its group has left; metadata first, since without them no data is of use."""
    if seen.kind is not PoolKind.LVM_THIN or seen.metadata is None or seen.trouble:
        return Growth()
    left, metadata = seen.growable, 0
    if seen.metadata.share >= GROW_AT and seen.metadata.total < MOST_METADATA:
        metadata = _whole(min(seen.metadata.total // GROW_BY, MOST_METADATA - seen.metadata.total))
        metadata = min(metadata, _down(left // 2))  # the spare for repairs grows with it
        left -= 2 * metadata
    data = min(_whole(seen.data.total // GROW_BY), _down(left)) if seen.data.share >= GROW_AT else 0
    return Growth(data, metadata)


def given_by_disk(seen: Pool) -> Growth:
    """What a thin pool gets at once of a disk that was added: most of it; the rest lets both grow later."""
    if seen.kind is not PoolKind.LVM_THIN or seen.metadata is None:
        return Growth()
    data = _down(seen.growable - seen.growable // KEPT)
    metadata = min(_whole(data // NOTED_BY), max(MOST_METADATA - seen.metadata.total, 0))
    if data + 2 * metadata > seen.growable:
        metadata = _down((seen.growable - data) // 2)
    return Growth(data, metadata)


def pause(seen: Pool | None) -> float:
    """Seconds until the next look."""
    shares = [each.share for each in (seen.data, seen.metadata) if each] if seen else [0.0]
    return NEAR if max(shares) >= NEAR_AT else FAR


def day_of(now: float) -> str:
    """Such as ``2026-11-22``, in UTC."""
    return datetime.fromtimestamp(now, UTC).date().isoformat()


def copy_due(pool: KnownPool, told: Told, now: float) -> str:
    """The day for which LVM's notes of it are still to be copied; empty where that is done."""
    day = day_of(now)
    return day if pool.kind in LVM and pool.place and day != told.copied else ""


def missing(told: Told, why: str) -> Told:
    """As it is told of a pool that cannot be looked at; what was known of its filling stays."""
    return replace(told, trouble=why)


def observed(seen: Pool, known: dict[VolumeId, KnownVolume], told: Told, busy: Container[str] = ()) -> Told:
    """What there is to be told of a pool that was told of as ``told`` before; ``busy`` volumes are being changed."""
    return Told(
        level_of(seen.data.share, told.data),
        level_of(seen.metadata.share, told.metadata) if seen.metadata else Level.FINE,
        seen.trouble,
        {str(key): why for key, why in _troubles(seen, known) if key not in busy},
        told.copied,
    )


def _troubles(seen: Pool, known: dict[VolumeId, KnownVolume]) -> Iterator[tuple[VolumeId, str]]:
    """Of single volumes; where the whole pool has one, that is said once."""
    if seen.trouble:
        return
    for each in seen.volumes:
        if each.trouble:
            yield each.id, f"{each.name}: {each.trouble}"
    for key in known.keys() - {each.id for each in seen.volumes}:
        yield key, f"{known[key].name}: it is not in the pool any more"


def news(pool: KnownPool, before: Told, after: Told, seen: Pool | None, now: float) -> list[Event]:
    """What has changed between two looks."""
    found = list(_filling_news(pool, before, after, seen, now)) if seen else []
    found += _trouble_news(pool, before.trouble, after.trouble, now)
    return found + list(_of_volumes(pool, before, after, now))


def _filling_news(pool: KnownPool, before: Told, after: Told, seen: Pool, now: float) -> Iterator[Event]:
    rows = [("room", before.data, after.data, seen.data)]
    if seen.metadata:
        rows.append(("room to note what is whose", before.metadata, after.metadata, seen.metadata))
    for what, was, level, filling in rows:
        if text := _level_words(pool, what, was, level, filling):
            reason = _WORDS.get(level, "") if ORDER.index(level) > ORDER.index(was) else ""
            detail = {**pool.detail, "what": what, "level": level, "total": filling.total, "used": filling.used}
            yield Event("pool.room", now, text, reason, detail=detail)


def _level_words(pool: KnownPool, what: str, was: Level, level: Level, filling: Filling) -> str:
    """Empty where it is no news: what falls is told once it is fine, or can be written again."""
    if ORDER.index(level) > ORDER.index(was):
        full = "all" if level is Level.FULL else f"{filling.share:.0%}"
        return f"{full} of the {what} of the pool {pool.name} is used"
    if level is not was and (was is Level.FULL or level is Level.FINE):
        return f"the pool {pool.name} has {what} again: {filling.share:.0%} is used"
    return ""


def _trouble_news(pool: KnownPool, was: str, now_is: str, now: float) -> Iterator[Event]:
    if now_is and now_is != was:
        yield Event("pool.trouble", now, f"the pool {pool.name} is in trouble", now_is, detail=pool.detail)
    elif was and not now_is:
        yield Event("pool.trouble", now, f"the pool {pool.name} is well again", f"it was: {was}", detail=pool.detail)


def _of_volumes(pool: KnownPool, before: Told, after: Told, now: float) -> Iterator[Event]:
    """Each by itself, or all in one where they are many."""
    keys = before.volumes.keys() | after.volumes.keys()
    changed = sorted(key for key in keys if before.volumes.get(key) != after.volumes.get(key))
    if len(changed) <= MOST_TOLD:
        for key in changed:
            yield from _volume_news(pool, key, before.volumes.get(key, ""), after.volumes.get(key, ""), now)
        return
    text = f"{len(changed)} volumes in {pool.name} are in trouble, or well again"
    why = next((after.volumes[key] for key in changed if key in after.volumes), "")
    yield Event("pool.trouble", now, text, why, detail={**pool.detail, "volumes": len(after.volumes)})


def _volume_news(pool: KnownPool, key: str, was: str, now_is: str, now: float) -> Iterator[Event]:
    detail = {**pool.detail, "volume": key}
    if now_is and now_is != was:
        yield Event("pool.trouble", now, f"a volume in {pool.name} is in trouble", now_is, detail=detail)
    elif was and not now_is:
        yield Event("pool.trouble", now, f"a volume in {pool.name} is well again", f"it was: {was}", detail=detail)


def _whole(size: int) -> int:
    """Up to whole grains, which are whole extents."""
    return -(-size // GRAIN) * GRAIN


def _down(size: int) -> int:
    return max(size, 0) // GRAIN * GRAIN
