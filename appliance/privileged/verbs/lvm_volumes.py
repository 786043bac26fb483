"""The volumes of a pool. Pure.

Every verb may be cut off anywhere and asked again: what is done already is done. Besides what each names, it raises
Invalid ``volume-id`` for what is no id, and what every verb of LVM does (``verbs/lvm.py``).
"""

from typing import ClassVar

import msgspec

from appliance.privileged.verb import Done, Verb
from appliance.privileged.verbs.lvm import PATIENCE


class Made(msgspec.Struct, frozen=True):
    """What was made, or was there."""

    unfilled: bool
    """Its content is not there yet: ``Fill`` comes next."""


class Create(Verb[Made], frozen=True):
    """An empty volume.

    Raises Invalid ``volume-name``, ``volume-size``; Conflict ``name-taken``, ``volume-id-taken``, ``pool-too-small``,
    ``pool-filling``.
    """

    name: ClassVar[str] = "lvm.create"
    patience: ClassVar[float] = PATIENCE

    group: str
    id: str
    volume_name: str
    size: int
    created: int
    """Unix seconds."""
    read_only: bool = False
    to_fill: bool = False
    """It is not whole before it was filled with a file, a thin one too."""


class Copy(Verb[Made], frozen=True):
    """What ``origin`` holds now.

    Raises as ``Create`` does; NotFound ``volume-unknown``; Conflict ``volume-in-use`` where it takes a while.
    """

    name: ClassVar[str] = "lvm.copy"
    patience: ClassVar[float] = PATIENCE

    group: str
    origin: str
    id: str
    volume_name: str
    size: int
    """At least that of the origin."""
    created: int
    read_only: bool = False


class Grow(Verb[Made], frozen=True):
    """To at least so many bytes.

    Raises Invalid ``volume-size``; NotFound ``volume-unknown``; Conflict ``pool-too-small``.
    """

    name: ClassVar[str] = "lvm.grow"
    patience: ClassVar[float] = PATIENCE

    group: str
    id: str
    size: int


class StandIn(Verb[Made], frozen=True):
    """Make what is to take a volume's place: a copy of its snapshot.

    Raises NotFound ``volume-unknown``; Conflict ``volume-not-its-snapshot``, ``volume-in-use``, ``pool-too-small``,
    ``pool-filling``.
    """

    name: ClassVar[str] = "lvm.stand-in"
    patience: ClassVar[float] = PATIENCE

    group: str
    id: str
    snapshot: str


class Replace(Verb[Done], frozen=True):
    """Put what stands in for a volume into its place, and remove the volume of before; or go on with that.

    Raises Conflict ``volume-in-use`` where somebody has opened the volume of before meanwhile.
    """

    name: ClassVar[str] = "lvm.replace"
    patience: ClassVar[float] = PATIENCE

    group: str
    id: str


class Rename(Verb[Done], frozen=True):
    """For people. Raises Invalid ``volume-name``; NotFound ``volume-unknown``; Conflict ``name-taken``."""

    name: ClassVar[str] = "lvm.rename"
    patience: ClassVar[float] = PATIENCE

    group: str
    id: str
    volume_name: str


class Delete(Verb[Done], frozen=True):
    """It need not be there any more. Raises Conflict ``volume-in-use``."""

    name: ClassVar[str] = "lvm.delete"
    patience: ClassVar[float] = PATIENCE

    group: str
    id: str


class Clear(Verb[Done], frozen=True):
    """Remove what was cut off when a volume was made or rolled back; never one that is whole and alone.

    Raises Conflict ``volume-in-use``.
    """

    name: ClassVar[str] = "lvm.clear"
    patience: ClassVar[float] = PATIENCE

    group: str
    id: str


class Wake(Verb[Done], frozen=True):
    """Make a pool and all its volumes usable: activate those that are not, and go on with those that were suspended."""

    name: ClassVar[str] = "lvm.wake"
    patience: ClassVar[float] = PATIENCE

    group: str
