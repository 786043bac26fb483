"""What LVM's report of a group means: a pool and its volumes, and what is not ours.  Pure, for either side."""

from collections.abc import Container

from appliance.privileged.verbs.lvm import Group, Logical
from appliance.privileged.verbs.lvm_tags import (
    CREATED,
    GROWN_FROM,
    MAKING,
    NAME,
    OLD_METADATA,
    ORIGIN,
    REPLACED,
    STATE,
    values,
)
from appliance.volume import GRAIN, Filling, Foreign, Pool, PoolKind, Volume, VolumeId

NOT_ACTIVE = "it is not active"
UNFILLED = "it was cut off while it was made"
BETWEEN = "it was cut off while it was rolled back"
_HEALTH = {
    "partial": "a disk that it is on is missing",
    "failed": "its pool has failed",
    "refresh needed": "a disk that it is on had errors",
    "out_of_data": "the pool has no room left, and what is written waits",
    "metadata_read_only": "the pool's notes of what is whose have a mistake, or no room left: nothing can be changed",
    "unknown": "",
}
"""By ``lv_health_status``."""


def pool_of(group: Group) -> Pool:
    """As it is; every volume once, whatever is under way with it."""
    thin = group.thin_pool
    ours = by_id(group)
    others = ours.pop("", [])
    if thin:
        data, metadata = _filling(thin.size, thin.data), _filling(thin.metadata_size, thin.metadata)
    else:
        data, metadata = Filling(group.size, group.size - group.free), None
    return Pool(
        kind=PoolKind.LVM_THIN if thin else PoolKind.LVM_THICK,
        data=data,
        volumes=tuple(_volume(key, each, ours) for key, each in ours.items()),
        metadata=metadata,
        growable=_whole(group.free, group.extent) if thin else 0,
        members=tuple(each.device for each in group.members),
        foreign=tuple(_foreign(each) for each in others if each is not thin),
        largest=_whole(thin.size if thin else group.free, GRAIN),
        trouble=_trouble(group),
    )


def by_id(group: Group) -> dict[str, list[Logical]]:
    """Of each volume all there is; what is not ours has no id."""
    found: dict[str, list[Logical]] = {}
    for each in group.volumes:
        found.setdefault(each.id, []).append(each)
    return found


def _volume(key: str, ours: list[Logical], ids: Container[str]) -> Volume:
    """Between two renames there is none that is whole under its own name: then the one that comes next is shown."""
    shown = ours[0] if len(ours) == 1 else next((each for each in ours if not each.state), None) or _next(ours)
    noted = values(shown.tags)  # once: there may be thousands
    origin, created = noted.get(ORIGIN, ""), noted.get(CREATED, "")
    size = shown.grown_from if GROWN_FROM in noted else shown.size
    return Volume(
        id=VolumeId(key),
        name=noted.get(NAME) or key,
        size=size,
        used=_used_bytes(shown, size),
        origin=VolumeId(origin) if origin in ids else None,
        read_only=shown.read_only,
        path=shown.path,
        in_use=any(each.open for each in ours),
        created=float(created) if created.isdecimal() else 0.0,
        trouble=_why_not(shown, noted.get(STATE, "")),
    )


def _next(ours: list[Logical]) -> Logical:
    return next((each for each in ours if each.state == REPLACED), ours[0])


def _why_not(of: Logical, state: str) -> str:
    if state:
        return UNFILLED if state == MAKING else BETWEEN
    if words := _HEALTH.get(of.health, of.health):
        return words
    return "" if of.active else NOT_ACTIVE


def _used_bytes(of: Logical, size: int) -> int | None:
    """Of a thick one all of it; of a thin one what LVM knows while it is active."""
    if not of.pool:
        return size
    return None if of.data is None else _filling(of.size, of.data).used


def _filling(total: int, percent: float | None) -> Filling:
    """Nothing is known of a pool that is not active: that is its trouble, and said there."""
    return Filling(total, min(total, -(-int(total * round((percent or 0.0) * 100)) // 10_000)))


def _trouble(group: Group) -> str:
    if gone := [each.device for each in group.members if each.missing]:
        return f"{len(gone)} of its disks {'is' if len(gone) == 1 else 'are'} missing"
    thin = group.thin_pool
    if thin is None:
        return ""
    if thin.attributes[4:5] in ("c", "C"):
        return "the kernel wants its notes of what is whose to be checked: have it repaired"
    return _HEALTH.get(thin.health, thin.health) or ("" if thin.active else NOT_ACTIVE)


def _foreign(of: Logical) -> Foreign:
    if OLD_METADATA in of.tags:
        return Foreign(of.name, of.size, "what a repair of the thin pool has replaced: remove it by hand")
    words = of.layout.replace(",", " ") or "unknown"
    within = f" in {of.pool}" if of.pool else ""
    return Foreign(of.name, of.size, f"logical volume, {words}{within}")


def _whole(size: int, unit: int) -> int:
    return size // unit * unit
