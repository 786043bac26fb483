"""What the API takes and gives of pools and volumes. Sizes are bytes."""

from typing import Annotated, Literal

import msgspec

from appliance.web.api.shapes import Reference
from appliance.web.api.tasks import TaskDetail

Name = Annotated[str, msgspec.Meta(max_length=200)]
Path = Annotated[str, msgspec.Meta(max_length=4000)]
Line = Annotated[str, msgspec.Meta(max_length=1000)]
Size = Annotated[int, msgspec.Meta(ge=1, le=1 << 50)]
SizeOrNone = Annotated[int, msgspec.Meta(ge=0, le=1 << 50)]
Kind = Literal["lvm-thin", "lvm-thick", "directory"]
Use = Literal["user", "image", "deployment", "vm"]


class FillingOut(msgspec.Struct):
    """How much of something is used."""

    total: int
    used: int


class ForeignOut(msgspec.Struct):
    """What is in a pool and is not ours: never touched."""

    name: str
    size: int
    what: str


class LostOut(msgspec.Struct):
    """A volume of which something is kept, and which is not in its pool any more. Deleting it forgets it."""

    id: str
    name: str
    use: str
    of: str


class WorkOut(msgspec.Struct):
    """A change that is under way."""

    deed: str
    """Such as ``volume.clone``."""
    volume: str | None
    """Id of the one that it is done to, or that it makes."""
    task: int | None
    """Does it; null where it is done at once."""
    by: str
    at: float


class PoolOut(msgspec.Struct):
    """A pool as it is at this moment."""

    id: int
    name: str
    kind: str
    """``lvm-thin``, ``lvm-thick`` or ``directory``."""
    place: str
    """UUID of the volume group, path of the directory; empty while the group is being made."""
    created: float
    here: bool
    """Whether it could be looked at; what follows is empty where it could not."""
    trouble: str
    """Why it could not, or what is wrong with it; empty: nothing."""
    level: str
    """``fine``; ``alert`` from 80 % on; ``stop`` from 90 % on, when no snapshots and clones are made; ``full``."""
    data: FillingOut | None
    """Room for the content of volumes."""
    metadata: FillingOut | None
    """Of a thin pool: room to note which block is whose. Where it ends, nothing can be written any more."""
    growable: int
    """Bytes by which ``data`` grows without a further disk, by itself, once it fills."""
    promised: int
    """Bytes that all volumes would take if they were full."""
    overcommitted: bool
    """Whether that is more than there are."""
    largest: int
    """Bytes of the largest volume that can be made."""
    members: list[str]
    """Devices that it is made of, or the directory."""
    volumes: int
    """How many there are in it."""
    foreign: list[ForeignOut]
    lost: list[LostOut]
    work: list[WorkOut]


class PartIn(msgspec.Struct, forbid_unknown_fields=True):
    """A disk or a partition that becomes part of a pool. All that is on it is lost."""

    disk: Name
    """Serial number or WWN."""
    partition: Name = ""
    """PARTUUID; empty: the whole disk."""
    holds: Annotated[list[Line], msgspec.Meta(max_length=10_000)] = []
    """What is on it, as ``GET /storage/disks`` tells it: it is refused where anything else is there."""


class PoolIn(msgspec.Struct, forbid_unknown_fields=True):
    """A pool that is to be made."""

    name: Name
    """Also of its volume group."""
    kind: Kind = "lvm-thin"
    """``lvm-thin``: clones are instant; ``lvm-thick``: clones are copies; ``directory``: volumes are files."""
    place: Path = ""
    """``directory``: its path; it has to be there."""
    disks: Annotated[list[PartIn], msgspec.Meta(max_length=64)] = []
    """What it is made of; none for a directory."""
    confirm: Path | None = None
    """The identifiers of the disks that hold something, with commas between."""


class PartsIn(msgspec.Struct, forbid_unknown_fields=True):
    """Disks of which a pool would be made, or by which it would be extended."""

    disks: Annotated[list[PartIn], msgspec.Meta(max_length=64)]


class ExtendIn(msgspec.Struct, forbid_unknown_fields=True):
    """One more disk for a pool."""

    disk: PartIn
    confirm: Name | None = None
    """The identifier of the disk, where something is on it."""


class AdoptIn(msgspec.Struct, forbid_unknown_fields=True):
    """A volume group that becomes a pool; what is in it stays, and is never touched."""

    name: Name
    """Of the pool."""
    thin: bool = True
    """One that has a thin pool of ours is thin, whatever is said here."""
    confirm: Name | None = None
    """The name of the volume group."""


class ConfirmIn(msgspec.Struct, forbid_unknown_fields=True):
    """The answer to what ``consequences`` asked for."""

    confirm: Name | None = None


class NothingIn(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing has to be said."""


class PartitionOut(msgspec.Struct):
    """A partition of a disk."""

    name: str
    """The kernel's, good for this boot only."""
    uuid: str
    """PARTUUID."""
    size: int
    holds: list[str]
    """What is on it; nothing: nothing known."""
    refused: str
    """Why it cannot be chosen; empty: it can."""


class DiskOut(msgspec.Struct):
    """A disk of the appliance, as one for a pool."""

    name: str
    """The kernel's, good for this boot only."""
    identifier: str
    """Serial number or WWN, by which it is named here; empty where it has neither."""
    model: str
    size: int
    transport: str
    rotational: bool
    removable: bool
    holds: list[str]
    """What is on it, its partitions among that; nothing: nothing known."""
    refused: str
    """Why all of it cannot be chosen; empty: it can."""
    partitions: list[PartitionOut]


class GroupOut(msgspec.Struct):
    """A volume group that is no pool here."""

    uuid: str
    name: str
    size: int
    free: int
    was_pool: bool
    """Whether it was a pool of an appliance before: then its volumes come back with it."""
    whole: bool
    """Whether all of its disks are there, and it is not exported."""
    members: list[str]
    """Devices."""
    volumes: list[str]
    """Names of the logical volumes in it."""


class VolumeOut(msgspec.Struct, gc=False):
    """A volume."""

    id: str
    """The same for as long as it is there."""
    name: str
    pool: Reference
    size: int
    used: int | None
    """Bytes that it takes of its pool; null where that cannot be told."""
    origin: str | None
    """Id of what it was made from, where that is still there."""
    read_only: bool
    """A snapshot, or an image: others are made from it, and nobody writes it."""
    golden: bool
    """Others are made from it: it is not deleted before somebody says that it is golden no longer."""
    use: str
    """What it is for: ``user``, ``image``, ``deployment`` or ``vm``."""
    of: str
    """Id of the image, deployment or VM."""
    in_use: bool
    """Somebody has it open."""
    format: str
    """``raw``, or ``qcow2`` for a clone in a directory whose file system cannot share blocks."""
    path: str
    """Device or file."""
    created: float
    trouble: str
    """Why it cannot be used; empty where it can."""
    work: WorkOut | None
    """What is under way with it."""


class VolumeIn(msgspec.Struct, forbid_unknown_fields=True):
    """An empty volume, which reads as zeros; or the golden volume of an image, with its files in a file system."""

    name: Name
    size: SizeOrNone = 0
    """Rounded up to whole 4 MiB. Of an image at least that; 0: what its files need, and room to spare."""
    read_only: bool = False
    golden: bool = False
    image: str = ""
    """Name or number of an image of format ``tar`` or ``squashfs``: the volume is golden and read-only then."""


class SnapshotIn(msgspec.Struct, forbid_unknown_fields=True):
    """What the volume holds now, read-only; it can be rolled back to it."""

    name: Name


class CloneIn(msgspec.Struct, forbid_unknown_fields=True):
    """A volume of its own that holds what this one holds now."""

    name: Name
    size: SizeOrNone = 0
    """0: that of what it is made from; else at least that."""
    read_only: bool = False
    golden: bool = False


class GrowIn(msgspec.Struct, forbid_unknown_fields=True):
    """How large a volume is to be; it never becomes smaller."""

    size: Size


class RollBackIn(msgspec.Struct, forbid_unknown_fields=True):
    """To what the volume goes back; what was written to it since is lost."""

    snapshot: Name
    """Id or name of one of its snapshots."""
    confirm: Name | None = None
    """The volume's name."""


class VolumeChangeIn(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of a volume; null leaves it as it is."""

    name: Name | None = None
    golden: bool | None = None


class VolumeDoneOut(msgspec.Struct):
    """What became of a wish."""

    pool: int
    volume: str
    """Id of the one that it was done to, or that it makes."""
    task: TaskDetail | None
    """Does it, with the status 202; null: it is done."""
