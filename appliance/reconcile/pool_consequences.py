"""What a change of a pool or a volume would mean, said before it is done, and why it cannot be done. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime

from appliance.pool import KnownPool, KnownVolume, PoolPart, Use
from appliance.reconcile.consequences import Consequences
from appliance.volume import Format, Pool, Volume

_FOR = {Use.IMAGE: "an image", Use.DEPLOYMENT: "a deployment", Use.VM: "a virtual machine"}
MOST_NAMES = 5


def of_delete(seen: Pool, volume: Volume, known: KnownVolume | None) -> Consequences:
    """A volume is deleted."""
    refused = _in_use(volume) or _golden(volume, known) or _needed(seen, volume)
    if refused:
        return Consequences(refused=refused)
    texts = [f"The volume {volume.name} ({volume.size / (1 << 30):.1f} GiB) is deleted. What is in it is lost."]
    if known and known.use is not Use.USER:
        texts.append(f"It belongs to {_FOR[known.use]}, which cannot be used without it.")
    if made := _made_from(seen, volume):
        texts.append(f"What was made from it stays whole: {_names(made)}.")
    return Consequences(tuple(texts), confirm=volume.name, destroys=True)


def of_roll_back(volume: Volume, snapshot: Volume) -> Consequences:
    """A volume gets the content of its snapshot again."""
    if snapshot.origin != volume.id or not snapshot.read_only:
        return Consequences(refused=f"{snapshot.name} is no snapshot of {volume.name}.")
    if refused := _in_use(volume):
        return Consequences(refused=refused)
    since = f" of {_when(snapshot.created)}" if snapshot.created else ""
    texts = (
        f"{volume.name} holds again what its snapshot {snapshot.name}{since} has kept.",
        "What was written to it since is lost. Its snapshots stay.",
    )
    return Consequences(texts, confirm=volume.name, destroys=True)


def of_lost(volume: KnownVolume) -> Consequences:
    """What is kept of a volume that is not in its pool any more is forgotten."""
    text = f"The volume {volume.name} is not in its pool any more. What is kept of it is forgotten."
    return Consequences((text,), confirm=volume.name)


def of_retire(pool: KnownPool, seen: Pool | None, trouble: str = "") -> Consequences:
    """A pool is given up; ``seen`` is None where it cannot be looked at, for the reason ``trouble``."""
    if seen is None:
        gone = (
            f"The pool {pool.name} cannot be looked at: {trouble}.",
            "The appliance forgets it. Nothing on its disks is touched: connected again, it can be adopted.",
        )
        return Consequences(gone, confirm=pool.name)
    if seen.volumes:
        hint = f"{_names(seen.volumes)}. Delete them first, or move them."
        return Consequences(refused=f"{pool.name} still has volumes: {hint}")
    if seen.foreign:
        names = ", ".join(each.name for each in seen.foreign[:MOST_NAMES])
        return Consequences(refused=f"{pool.name} has what is not ours: {names}. Remove that by hand first.")
    members = ", ".join(seen.members) or pool.place
    texts = (f"The pool {pool.name} ends. {members} is free for something else then.",)
    return Consequences(texts, confirm=pool.name, destroys=True)


def of_parts(parts: Sequence[PoolPart]) -> Consequences:
    """Disks become part of a pool; those that hold something are named to confirm it, with commas between."""
    full = [each for each in parts if each.holds]
    texts = tuple(f"All that is on {_of_part(each)} is lost: {'; '.join(each.holds)}." for each in full)
    named = ", ".join(dict.fromkeys(each.disk for each in full))
    return Consequences(texts, confirm=named or None, destroys=bool(full))


def of_adopt(group: str) -> Consequences:
    """A volume group that is there becomes a pool."""
    texts = (
        f"The volume group {group} becomes a pool, and volumes are made in what it has left.",
        "Logical volumes that are in it stay as they are, and are never touched.",
    )
    return Consequences(texts, confirm=group)


def of_repair(group: str, steps: Sequence[str]) -> Consequences:
    """A thin pool's metadata are written anew."""
    text = f"The notes of {group} of what is whose are written anew from what can be read of them."
    last = "Volumes whose notes cannot be read are lost. Nobody can use any volume of it meanwhile."
    return Consequences((text, *steps, last), confirm=group, destroys=True)


def _in_use(volume: Volume) -> str:
    return f"Somebody has {volume.name} open: stop the machine that runs from it." if volume.in_use else ""


def _golden(volume: Volume, known: KnownVolume | None) -> str:
    if known is None or not known.golden:
        return ""
    return f"{volume.name} is golden: say first that it is golden no longer."


def _needed(seen: Pool, volume: Volume) -> str:
    """An overlay is nothing without what it lies on."""
    needs = [each for each in _made_from(seen, volume) if each.format is Format.QCOW2]
    return f"{_names(needs)} cannot be without {volume.name}: delete that first." if needs else ""


def _made_from(seen: Pool, volume: Volume) -> list[Volume]:
    return [each for each in seen.volumes if each.origin == volume.id]


def _names(volumes: Sequence[Volume]) -> str:
    names = ", ".join(each.name for each in volumes[:MOST_NAMES])
    return f"{names} and {len(volumes) - MOST_NAMES} more" if len(volumes) > MOST_NAMES else names


def _of_part(part: PoolPart) -> str:
    return f"the partition {part.partition} of {part.disk}" if part.partition else part.disk


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
