"""Pools and volumes as they are shown: what the pool says, with what is kept of it and what is under way. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from appliance.errors import NotFound
from appliance.pool import KnownPool, KnownVolume, Work
from appliance.volume import Pool, Volume, VolumeId


@dataclass(frozen=True, slots=True)
class VolumeView:
    """A volume with what is kept of it."""

    volume: Volume
    known: KnownVolume
    work: Work | None = None
    """What is under way with it."""


@dataclass(frozen=True, slots=True)
class PoolView:
    """A pool as it is at this moment."""

    known: KnownPool
    seen: Pool | None = None
    """None where it cannot be looked at."""
    trouble: str = ""
    """Why it cannot, or what is wrong with it."""
    works: tuple[Work, ...] = ()
    lost: tuple[KnownVolume, ...] = ()
    """Of which something is kept, and which are not in the pool."""
    kept: dict[VolumeId, KnownVolume] = field(default_factory=dict)

    @property
    def volumes(self) -> list[VolumeView]:
        """All that are in it, by name."""
        return sorted(self.unsorted(), key=lambda each: (each.volume.name, each.volume.id))

    def unsorted(self) -> Iterator[VolumeView]:
        """The same in no order: there may be thousands."""
        under_way = self._under_way()
        for each in self.seen.volumes if self.seen else ():
            yield VolumeView(each, self.of(each), under_way.get(each.id))

    def _under_way(self) -> dict[str, Work]:
        return {each.volume: each for each in self.works if each.volume}

    def of(self, volume: Volume) -> KnownVolume:
        """What is kept of it; of most in a pool that was adopted that is nothing yet."""
        kept = self.kept.get(volume.id)
        return kept or KnownVolume(volume.id, self.known.id, volume.name, created=volume.created)

    def found(self) -> Pool:
        """The pool; raises NotFound ``pool-missing`` where nobody can look."""
        if self.seen is None:
            raise NotFound("pool-missing", f"{self.known.name} cannot be looked at: {self.trouble}", "see to its disks")
        return self.seen

    def volume(self, key: str) -> VolumeView:
        """The one of this id or name; raises NotFound ``volume-unknown``, ``pool-missing`` where nobody can look."""
        there = self.found().volumes
        found = next((each for each in there if each.id == key), None)
        found = found or next((each for each in there if each.name == key), None)
        if found is None:
            text = f"there is no volume {key[:80]!r} in {self.known.name}"
            raise NotFound("volume-unknown", text, "list the volumes of this pool")
        return VolumeView(found, self.of(found), self._under_way().get(found.id))
