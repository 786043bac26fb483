"""Pools, and the groups that they are in: what they are made of, and how they grow. Pure."""

from typing import ClassVar

import msgspec

from appliance.privileged.verb import Done, Verb
from appliance.privileged.verbs.lvm import PATIENCE


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A disk or a partition that becomes part of a pool; all that is on it is lost."""

    disk: str
    """Serial number or WWN."""
    partition: str = ""
    """PARTUUID; empty: the whole disk."""
    holds: tuple[str, ...] = ()
    """What is on it, as ``disks.list`` says it and somebody has agreed to lose; it is refused where that is not so."""


class MakePool(Verb[Done], frozen=True):
    """A new group of disks or partitions, and a pool in it.

    Raises Invalid ``group-name``, ``disks-missing``, ``disks-repeated``; NotFound ``disk-unknown``; Conflict
    ``disk-own``, ``disk-busy``, ``disk-changed``, ``group-name-taken``: nothing is cleared then. What holds a disk
    without having it mounted is found when that is cleared (``disk-busy``), and that there is too little room for a
    thin pool when the group is there (Conflict ``pool-too-small``).
    """

    name: ClassVar[str] = "lvm.make-pool"
    patience: ClassVar[float] = PATIENCE

    group: str
    """The name that it gets."""
    parts: tuple[Part, ...]
    thin: bool = True


class Adopt(Verb[Done], frozen=True):
    """Make a pool of a group that is there; logical volumes in it stay as they are, and are not ours.

    Raises NotFound ``pool-missing`` where it is not there; Conflict ``pool-name-differs``, ``pool-incomplete``,
    ``pool-extents``, ``pool-name-taken`` where something else has the thin pool's name, ``pool-too-small``.
    """

    name: ClassVar[str] = "lvm.adopt"
    patience: ClassVar[float] = PATIENCE

    group: str
    group_name: str
    """As whoever asks for it believes it to be called."""
    thin: bool = True


class ExtendPool(Verb[Done], frozen=True):
    """One more disk for a pool.

    Raises NotFound ``disk-unknown``; Conflict ``disk-own``, ``disk-busy``, ``disk-changed``, as ``MakePool`` does.
    """

    name: ClassVar[str] = "lvm.extend-pool"
    patience: ClassVar[float] = PATIENCE

    group: str
    part: Part


class Retire(Verb[Done], frozen=True):
    """Give the disks of an empty pool back. Raises Conflict ``pool-not-empty``, ``pool-name-differs``."""

    name: ClassVar[str] = "lvm.retire"
    patience: ClassVar[float] = PATIENCE

    group: str
    group_name: str


class GrowPool(Verb[Done], frozen=True):
    """Give a thin pool more of what its group has left, by so many bytes.

    Raises Conflict ``pool-thick``, ``pool-too-small``.
    """

    name: ClassVar[str] = "lvm.grow-pool"
    patience: ClassVar[float] = PATIENCE

    group: str
    data: int = 0
    metadata: int = 0


class BackUp(Verb[Done], frozen=True):
    """Keep a copy of what LVM notes of a group on the state partition, for one day, and forget those that are old.

    Raises Invalid ``day-broken``.
    """

    name: ClassVar[str] = "lvm.back-up"
    patience: ClassVar[float] = PATIENCE

    group: str
    day: str
    """Such as ``2026-11-22``."""
