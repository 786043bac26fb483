"""The metadata of a thin pool: whether they are sound, and how they are repaired. Pure."""

from typing import ClassVar

import msgspec

from appliance.privileged.verb import Done, Verb


class Examined(msgspec.Struct, frozen=True):
    """What is to be said of a thin pool's metadata."""

    sound: bool
    said: str
    """thin_check(8)'s words; empty where it found nothing."""
    steps: tuple[str, ...]
    """What ``repair`` would do, in words."""


class Examine(Verb[Examined], frozen=True):
    """Check a thin pool's metadata; its volumes are taken away for so long.

    Raises Conflict ``pool-thick``, ``volume-in-use``.
    """

    name: ClassVar[str] = "lvm.examine"
    patience: ClassVar[float] = 3600.0

    group: str


class Repair(Verb[Done], frozen=True):
    """Write a thin pool's metadata anew from what can be read of it (lvconvert(8), ``--repair``).

    The metadata of before stay in a logical volume. Raises Conflict ``pool-name-differs``, ``pool-thick``,
    ``volume-in-use``.
    """

    name: ClassVar[str] = "lvm.repair"
    patience: ClassVar[float] = 3600.0

    group: str
    group_name: str
