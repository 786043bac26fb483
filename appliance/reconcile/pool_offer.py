"""What a pool may be made of: disks and partitions with what is on them, and why others are none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from appliance.pool import LVM, PoolPart
from appliance.privileged.verbs.disks import DiskState, List, PartitionState
from appliance.privileged.verbs.lvm import Group
from appliance.reconcile.pool_rooms import Rooms
from appliance.store import pools
from appliance.store.store import Store

OWN = "the appliance runs from it"
NAMELESS = "it has no serial number and no WWN to name it by"
NO_UUID = "its partition table gives it no identifier"


@dataclass(frozen=True, slots=True)
class OfferedPartition:
    """A partition of a disk."""

    name: str
    """The kernel's, good for this boot only."""
    uuid: str
    """PARTUUID."""
    size: int
    """Bytes."""
    holds: tuple[str, ...]
    """What is on it; nothing: nothing known."""
    refused: str = ""
    """Why it cannot be chosen; empty: it can."""


@dataclass(frozen=True, slots=True)
class OfferedDisk:
    """A disk of the appliance."""

    name: str
    """The kernel's, good for this boot only."""
    identifier: str
    """Serial number or WWN; empty where it has neither."""
    model: str
    size: int
    """Bytes."""
    transport: str
    rotational: bool
    removable: bool
    holds: tuple[str, ...]
    """What is on it, its partitions among that; nothing: nothing known."""
    partitions: tuple[OfferedPartition, ...] = ()
    refused: str = ""
    """Why all of it cannot be chosen; empty: it can."""

    def part(self, uuid: str = "") -> PoolPart:
        """All of it, or one of its partitions, with what is on it, to be agreed to."""
        found = next((each for each in self.partitions if uuid and each.uuid == uuid), None)
        return PoolPart(self.identifier, uuid, found.holds if found else self.holds)


class PoolOffer:
    """Asked of the privileged helper each time."""

    def __init__(self, store: Store, rooms: Rooms) -> None:
        self._store, self._rooms = store, rooms

    async def disks(self) -> list[OfferedDisk]:
        """All of this computer; none where it is no flashed appliance: what is made of disks needs root.

        Raises ApplianceError where the helper does not answer.
        """
        found, groups = await self._rooms.listed(List()), await self._rooms.groups()
        named = {each.place: each.name for each in await self._store.read(pools.every) if each.kind in LVM}
        return offered(found, members(groups, named))


def members(groups: Iterable[Group], named: Mapping[str, str]) -> dict[str, str]:
    """The kernel's names of devices that a volume group has -> why they cannot be chosen.

    ``named`` are the names of pools by the UUIDs of their groups. What belongs to a group of somebody else may be
    taken: what that means is shown with all else that is on a disk, and LVM refuses what is in use.
    """
    found: dict[str, str] = {}
    for group in groups:
        if group.is_pool or group.uuid in named:
            why = f"it belongs to the pool {named.get(group.uuid, group.name)}"
            found |= {PurePath(each.device).name: why for each in group.members}
    return found


def offered(disks: Iterable[DiskState], taken: Mapping[str, str]) -> list[OfferedDisk]:
    """Disks with why they cannot be chosen; ``taken`` says it of devices by their names."""
    return [_disk(each, taken) for each in disks]


def _disk(of: DiskState, taken: Mapping[str, str]) -> OfferedDisk:
    identifier = of.serial or of.wwn
    parts = tuple(_partition(each, taken, identifier) for each in of.partitions)
    inner = next((taken[each.name] for each in of.partitions if each.name in taken), "")
    mounted = next((each.mounted for each in of.partitions if each.mounted), "") or of.mounted
    why = OWN if of.own else taken.get(of.name) or inner or _in_use(mounted) or ("" if identifier else NAMELESS)
    return OfferedDisk(
        of.name, identifier, of.model, of.size, of.transport, of.rotational, of.removable, tuple(of.holds), parts, why
    )


def _partition(of: PartitionState, taken: Mapping[str, str], disk: str) -> OfferedPartition:
    nameless = "" if disk else NAMELESS
    why = taken.get(of.name) or (OWN if of.own else _in_use(of.mounted)) or nameless or ("" if of.uuid else NO_UUID)
    return OfferedPartition(of.name, of.uuid, of.size, tuple(of.holds), why)


def _in_use(mounted: str) -> str:
    return f"it is mounted on {mounted}" if mounted else ""
