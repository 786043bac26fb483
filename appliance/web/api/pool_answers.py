"""Pools and volumes as shapes of the API; loaded once somebody asks for one. Nothing is looked up here."""

from collections.abc import Sequence

from appliance.pool import KnownVolume, PoolPart, Work
from appliance.privileged.verbs.lvm import Group
from appliance.reconcile.pool_offer import OfferedDisk, OfferedPartition
from appliance.reconcile.pool_shown import PoolView, VolumeView
from appliance.volume import Filling, Pool, level
from appliance.web.api import pool_shapes as shapes
from appliance.web.api.shapes import Reference


def pool(view: PoolView) -> shapes.PoolOut:
    """A pool."""
    of, seen = view.known, view.seen
    data = seen.data if seen else None
    return shapes.PoolOut(
        id=of.id,
        name=of.name,
        kind=of.kind,
        place=of.place,
        created=of.created,
        here=seen is not None,
        trouble=view.trouble,
        level=level(seen) if seen else "",
        data=_filling(data),
        metadata=_filling(seen.metadata) if seen else None,
        growable=seen.growable if seen else 0,
        promised=seen.promised if seen else 0,
        overcommitted=seen is not None and seen.promised > seen.data.total,
        largest=seen.largest if seen else 0,
        members=list(seen.members) if seen else [],
        volumes=len(seen.volumes) if seen else 0,
        foreign=_foreign(seen),
        lost=[_lost(each) for each in view.lost] if seen else [],
        work=[_work(each) for each in view.works],
    )


def _filling(of: Filling | None) -> shapes.FillingOut | None:
    return shapes.FillingOut(of.total, of.used) if of else None


def _foreign(seen: Pool | None) -> list[shapes.ForeignOut]:
    return [shapes.ForeignOut(each.name, each.size, each.what) for each in seen.foreign] if seen else []


def _lost(of: KnownVolume) -> shapes.LostOut:
    return shapes.LostOut(of.id, of.name, of.use, of.of)


def _work(of: Work) -> shapes.WorkOut:
    return shapes.WorkOut(of.deed, of.volume, of.task, of.by.name, of.at)


def volume(of: PoolView, view: VolumeView) -> shapes.VolumeOut:
    """A volume of this pool."""
    found, known = view.volume, view.known
    return shapes.VolumeOut(
        id=found.id,
        name=found.name,
        pool=Reference(id=of.known.id, name=of.known.name),
        size=found.size,
        used=found.used,
        origin=found.origin,
        read_only=found.read_only,
        golden=known.golden,
        use=known.use,
        of=known.of,
        in_use=found.in_use,
        format=found.format,
        path=found.path,
        created=found.created or known.created,
        trouble=found.trouble,
        work=_work(view.work) if view.work else None,
    )


def disk(of: OfferedDisk) -> shapes.DiskOut:
    """A disk that may be chosen, or not."""
    partitions = [_partition(each) for each in of.partitions]
    return shapes.DiskOut(
        of.name, of.identifier, of.model, of.size, of.transport, of.rotational, of.removable, list(of.holds),
        of.refused, partitions,
    )  # fmt: skip


def _partition(of: OfferedPartition) -> shapes.PartitionOut:
    return shapes.PartitionOut(of.name, of.uuid, of.size, list(of.holds), of.refused)


def group(of: Group) -> shapes.GroupOut:
    """A volume group that may be adopted."""
    whole = not of.exported and not any(each.missing for each in of.members)
    return shapes.GroupOut(
        of.uuid, of.name, of.size, of.free, of.is_pool, whole, [each.device for each in of.members],
        sorted(each.name for each in of.volumes),
    )  # fmt: skip


def parts(sent: Sequence[shapes.PartIn]) -> tuple[PoolPart, ...]:
    """Disks as wishes name them."""
    return tuple(PoolPart(each.disk, each.partition, tuple(each.holds)) for each in sent)
