"""Volume groups that are pools, and the logical volumes that are volumes in them. Pure.

A group is named by its UUID, a volume by our id: names are free to change, and anybody may give them. The helper looks
both up in LVM's own report each time, and leaves what has no tag of ours (``lvm_tags``) as it is.

Every verb of LVM raises ApplianceError ``storage-failed``, with what LVM said, and ``storage-unreadable``; every one
that names a group raises NotFound ``pool-missing`` where it is not there, or no pool of ours.
"""

from typing import ClassVar

import msgspec

from appliance.privileged.verb import Verb
from appliance.privileged.verbs.lvm_tags import GROWN_FROM, ID, POOL, STATE, THIN_POOL, value

THIN_POOL_NAME = "pool"
"""Of the logical volume."""
PATIENCE = 900.0
"""Seconds for one change by LVM. It is never killed: it waits where a disk does not answer."""


def place(key: str) -> str:
    """What the logical volume of a volume is called."""
    return f"v-{key}"


def stand_in(key: str) -> str:
    """What the one is called that is to take its place."""
    return f"r-{key}"


def aside(key: str) -> str:
    """What it is called once another one has its place."""
    return f"o-{key}"


_BEGINS = (place(""), stand_in(""), aside(""))


class Logical(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A logical volume, as lvs(8) reports it; in bytes. Short on the wire: there may be thousands."""

    uuid: str
    name: str
    size: int
    tags: tuple[str, ...]
    layout: str
    """Such as ``thin,pool`` or ``thin,sparse`` or ``linear``."""
    pool: str = ""
    """Name of the thin pool that it is in."""
    attributes: str = "----------"
    """``lv_attr``: ten letters, each of its own meaning."""
    path: str = ""
    origin: str = ""
    """Name of the logical volume that it is a snapshot of, where that is still there."""
    data: float | None = None
    """Percent; None where it is not active."""
    metadata: float | None = None
    """Percent, of a thin pool."""
    metadata_size: int = 0
    health: str = ""

    @property
    def active(self) -> bool:
        """It can be used: it has its device, and that is not suspended."""
        return self.attributes[4:5] in ("a", "c")

    @property
    def suspended(self) -> bool:
        """Who was killed while changing it has left it so: everybody who reads or writes it waits."""
        return self.attributes[4:5] in ("s", "S", "d", "i", "C")

    @property
    def open(self) -> bool:
        """Somebody uses it."""
        return self.attributes[5:6] == "o"

    @property
    def read_only(self) -> bool:
        """Nobody may write it; ``R`` is read-only for now, by whoever activated it."""
        return self.attributes[1:2] == "r"

    @property
    def id(self) -> str:
        """Of the volume that it is, or is to be; empty: it is not ours."""
        key = value(self.tags, ID)
        return key if key and self.name[:2] in _BEGINS and self.name[2:] == key else ""

    @property
    def state(self) -> str:
        """What is under way with it; empty: it is whole."""
        return value(self.tags, STATE)

    @property
    def grown_from(self) -> int:
        """Bytes up to which it is whole, where its end has still to be filled with zeros; else its size."""
        text = value(self.tags, GROWN_FROM)
        return min(int(text), self.size) if text.isdecimal() else self.size

    @property
    def growing(self) -> bool:
        """Whether its end has still to be filled with zeros."""
        return value(self.tags, GROWN_FROM) != ""

    @property
    def is_thin_pool(self) -> bool:
        """Whether volumes can be made in it."""
        return "pool" in self.layout.split(",") and "thin" in self.layout.split(",")


class Member(msgspec.Struct, frozen=True):
    """A physical volume of a group."""

    uuid: str
    device: str
    size: int
    missing: bool = False


class Group(msgspec.Struct, frozen=True):
    """A volume group with all that is in it; in bytes."""

    uuid: str
    name: str
    tags: tuple[str, ...]
    size: int
    free: int
    extent: int
    exported: bool = False
    members: tuple[Member, ...] = ()
    volumes: tuple[Logical, ...] = ()

    @property
    def is_pool(self) -> bool:
        """Whether it is ours."""
        return POOL in self.tags

    @property
    def thin_pool(self) -> Logical | None:
        """Ours; None: its volumes are thick."""
        found = (each for each in self.volumes if each.is_thin_pool and THIN_POOL in each.tags)
        return next((each for each in found if each.name == THIN_POOL_NAME), None)

    def of(self, key: str) -> list[Logical]:
        """All of one volume: there may be several while it is made or rolled back."""
        return [each for each in self.volumes if each.id == key]

    def whole(self, key: str) -> Logical | None:
        """The one that is the volume, whatever is under way beside it."""
        return next((each for each in self.of(key) if not each.state), None)


class Report(Verb[list[Group]], frozen=True):
    """All groups that LVM uses (lvmdevices(8)), ours and others."""

    name: ClassVar[str] = "lvm.report"
    patience: ClassVar[float] = 300.0

    settled: bool = False
    """Wait for udev first: it has each volume open for a moment that somebody has written and closed."""
