"""What is kept of pools and volumes beside what a pool says itself: names, what volumes are for, work under way. Pure.

Which volumes there are, how large and how full, the pool is asked each time.
"""

from dataclasses import dataclass
from enum import StrEnum

from appliance.accounts import Asker
from appliance.catalogue import ImageId
from appliance.errors import Invalid
from appliance.task import TaskId
from appliance.volume import PoolId, PoolKind, VolumeId, check_name

LVM = frozenset({PoolKind.LVM_THIN, PoolKind.LVM_THICK})
"""Kinds whose place is the UUID of a volume group."""


class Use(StrEnum):
    """What a volume is for."""

    USER = "user"
    """Whatever a user made it for; that of a volume of which nothing is kept."""
    IMAGE = "image"
    DEPLOYMENT = "deployment"
    VM = "vm"


class Deed(StrEnum):
    """What is done to pools and volumes. The value is the kind of its task, and the action in the audit log."""

    MAKE = "pool.make"
    ADOPT = "pool.adopt"
    EXTEND = "pool.extend"
    RETIRE = "pool.retire"
    EXAMINE = "pool.examine"
    REPAIR = "pool.repair"
    CREATE = "volume.create"
    GROW = "volume.grow"
    SNAPSHOT = "volume.snapshot"
    CLONE = "volume.clone"
    FILL = "volume.fill"
    """A golden volume is made of an image."""
    ROLL_BACK = "volume.roll-back"
    RENAME = "volume.rename"
    DELETE = "volume.delete"


OF_POOLS = frozenset({Deed.MAKE, Deed.ADOPT, Deed.EXTEND, Deed.RETIRE, Deed.EXAMINE, Deed.REPAIR})
MAKING = frozenset({Deed.CREATE, Deed.SNAPSHOT, Deed.CLONE, Deed.FILL})
"""Those that make a volume."""
_LONG = {
    PoolKind.LVM_THICK: MAKING | {Deed.GROW, Deed.ROLL_BACK},
    PoolKind.DIRECTORY: frozenset({Deed.SNAPSHOT, Deed.CLONE, Deed.ROLL_BACK}),
}


def is_long(kind: PoolKind, deed: Deed) -> bool:
    """Whether it may take as long as copying a disk does; all others are done at once."""
    return deed in OF_POOLS or deed is Deed.FILL or deed in _LONG.get(kind, frozenset())


def holds_up(kind: PoolKind, deed: Deed) -> bool:
    """Whether all that is done at once would wait for it, and for how long nobody knows.

    What LVM's volumes are filled with as they are made is written beside all other changes.
    """
    return is_long(kind, deed) and deed is not Deed.FILL and not (kind in LVM and deed in MAKING)


@dataclass(frozen=True, slots=True)
class KnownPool:
    """A pool that is ours. Times are Unix time."""

    id: PoolId
    name: str
    """One of a kind among those that are not retired."""
    kind: PoolKind
    place: str
    """UUID of a volume group, path of a directory; empty while the group is being made."""
    created: float
    retired: float | None = None

    @property
    def detail(self) -> dict[str, object]:
        """What events say of the pool that they are about."""
        return {"pool": self.id, "pool_name": self.name}


@dataclass(frozen=True, slots=True)
class KnownVolume:
    """What a volume is for."""

    id: VolumeId
    pool: PoolId
    name: str
    """As it was wanted last."""
    use: Use = Use.USER
    of: str = ""
    """Id of the image, deployment or VM."""
    golden: bool = False
    """Others are made from it: it is not deleted before somebody says that it is golden no longer."""
    created: float = 0.0


@dataclass(frozen=True, slots=True)
class GoldenVolume:
    """A volume that holds the files of an image, in a file system that we have made."""

    volume: VolumeId
    pool: PoolId
    image: ImageId
    sha256: str
    """Of the image's content that it was made of."""
    fs_uuid: str
    size: int
    """Bytes of its file system."""
    name: str = ""
    """Of the volume."""
    golden: bool = True
    """It is not deleted before somebody says that it is golden no longer."""


@dataclass(frozen=True, slots=True)
class PoolPart:
    """A disk or a partition that becomes part of a pool."""

    disk: str
    """Serial number or WWN."""
    partition: str = ""
    """PARTUUID; empty: the whole disk."""
    holds: tuple[str, ...] = ()
    """What is on it, as it was shown."""


@dataclass(frozen=True, slots=True)
class Work:
    """A change that was asked for and has not ended: stored before anything of it is done, so that it is not lost."""

    deed: Deed
    pool: PoolId
    by: Asker
    at: float
    """Unix time."""
    id: int = 0
    volume: VolumeId | None = None
    """The one that it is done to, or that it makes."""
    name: str = ""
    """The volume's; the new one of a rename; the volume group's when one is adopted or repaired."""
    size: int = 0
    """Bytes."""
    read_only: bool = False
    source: VolumeId | None = None
    """What is copied, or rolled back to."""
    use: Use = Use.USER
    of: str = ""
    golden: bool = False
    sha256: str = ""
    """Of the content of the image that it is filled with."""
    parts: tuple[PoolPart, ...] = ()
    reason: str = ""
    """Why it was asked for, where that was said."""
    task: TaskId | None = None


def check_pool_name(text: str) -> str:
    """Raises Invalid ``pool-name``: a volume group may have to be called so, and a number is that of a pool."""
    if text.isdecimal():
        hint = "use a letter as well: pools are found by their numbers, too"
        raise Invalid("pool-name", f"{text[:80]!r} cannot be the name of a pool", hint, "name")
    try:
        return check_name(text)
    except Invalid as error:
        raise Invalid("pool-name", f"{text[:80]!r} cannot be the name of a pool", error.hint, "name") from None
