"""Pools and volumes: what they are, what may be made of them, and when a pool is too full for it. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NewType

from appliance.errors import Conflict, Invalid, NotFound

PoolId = NewType("PoolId", int)
VolumeId = NewType("VolumeId", str)
"""16 hexadecimal digits, the same for as long as the volume is there, whatever it is called meanwhile."""

_ID = re.compile(r"[0-9a-f]{16}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""Every kind of pool can note it: tags of LVM have these characters, and few more (lvm(8))."""
GRAIN = 4 << 20
"""Bytes; sizes of volumes are multiples of it, as LVM's extents are by default."""
LEAST, MOST = GRAIN, 1 << 50
"""Bytes of a volume."""
LET_GO = "stop the machine that runs from it, or end its export"
"""What to do about a volume that somebody has open."""
ALERT, STOP = 0.80, 0.90
"""Shares of a pool's data or metadata in use: from the first on it is told of, from the second no snapshot or clone is
made any more, since each lets what is there grow faster."""


class PoolKind(StrEnum):
    """What a pool's volumes are."""

    LVM_THIN = "lvm-thin"
    """Thin logical volumes: clones are instant, and room is taken as it is written."""
    LVM_THICK = "lvm-thick"
    """Ordinary logical volumes: all of their room is taken when they are made; a clone is a copy."""
    DIRECTORY = "directory"
    """Sparse files."""
    MEMORY = "memory"
    """Nothing: for tests, and to try what would happen."""


class Format(StrEnum):
    """How the content of a volume is kept."""

    RAW = "raw"
    """As a disk has it: byte n of the volume is byte n of its file or device."""
    QCOW2 = "qcow2"
    """QEMU's, for a clone in a directory whose file system cannot share blocks between files."""


@dataclass(frozen=True, slots=True)
class NewVolume:
    """A volume that is to be made."""

    id: VolumeId
    name: str
    """For people; one of a kind in its pool."""
    size: int
    """Bytes; a clone has at least the size of what it is made from."""
    read_only: bool = False
    """A golden image or a snapshot: others are made from it, and nobody writes it."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume as it is found in its pool."""

    id: VolumeId
    name: str
    size: int
    """Bytes."""
    used: int | None
    """Bytes that it takes of its pool; None where that cannot be told."""
    origin: VolumeId | None
    """What it was made from, where that is still there."""
    read_only: bool
    path: str
    """Device or file."""
    format: Format = Format.RAW
    in_use: bool = False
    """Somebody has it open: it is exported, mounted, or a disk of a VM that runs."""
    created: float = 0.0
    trouble: str = ""
    """Why it cannot be used, half made and half removed among it; empty where it can."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """What is in a pool and carries no mark of ours: shown, and never touched."""

    name: str
    size: int
    what: str
    """What it is, in words."""


@dataclass(frozen=True, slots=True)
class Filling:
    """How much of something is used, in bytes."""

    total: int
    used: int

    @property
    def share(self) -> float:
        """0 to 1; all of it where there is nothing."""
        return self.used / self.total if self.total else 1.0


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool as it is found."""

    kind: PoolKind
    data: Filling
    """Room for the content of volumes."""
    volumes: tuple[Volume, ...]
    metadata: Filling | None = None
    """Of a thin pool: room to note which block is whose. Where it ends, nothing can be written any more."""
    growable: int = 0
    """Bytes by which ``data`` could grow without a further disk."""
    members: tuple[str, ...] = ()
    """Devices that it is made of, or the directory."""
    foreign: tuple[Foreign, ...] = ()
    largest: int = 0
    """Bytes of the largest volume that can be made. Where room is taken as it is written that is all that the pool has,
    whatever is promised to others: a volume that could never be filled is a mistake."""
    trouble: str = ""
    """What is wrong with it as a whole; empty where nothing is."""

    @property
    def promised(self) -> int:
        """Bytes that its volumes would take if all of them were full; more than there are: it is overcommitted."""
        return sum(each.size for each in self.volumes)

    def volume(self, key: VolumeId) -> Volume | None:
        """The one of this id."""
        return next((each for each in self.volumes if each.id == key), None)


class Level(StrEnum):
    """How full a pool is."""

    FINE = "fine"
    ALERT = "alert"
    """Filling: room is to be made or added."""
    STOP = "stop"
    """No snapshots and clones any more."""
    FULL = "full"
    """Nothing can be written."""


def level(of: Pool) -> Level:
    """By data or metadata, whichever is worse."""
    share = max(of.data.share, of.metadata.share if of.metadata else 0.0)
    if share >= 1.0:
        return Level.FULL
    return Level.STOP if share >= STOP else Level.ALERT if share >= ALERT else Level.FINE


def check_id(text: str) -> VolumeId:
    """Raises Invalid ``volume-id`` for what is none."""
    if not _ID.fullmatch(text):
        raise Invalid("volume-id", f"{text[:40]!r} is no id of a volume", "it has 16 hexadecimal digits")
    return VolumeId(text)


def check_name(text: str) -> str:
    """Raises Invalid ``volume-name`` for what cannot be the name of a volume."""
    if not _NAME.fullmatch(text):
        hint = "use 1 to 63 letters, digits, dots, hyphens and underscores; a letter or digit first"
        raise Invalid("volume-name", f"{text[:80]!r} cannot be the name of a volume", hint, "name")
    return text


def checked(new: NewVolume) -> NewVolume:
    """With its size in whole grains; raises Invalid ``volume-id``, ``volume-name``, ``volume-size``."""
    check_id(new.id)
    check_name(new.name)
    return replace(new, size=rounded(new.size))


def rounded(size: int, field: str = "size") -> int:
    """Up to whole grains; raises Invalid ``volume-size`` outside of what a volume can have. Bytes."""
    if not 0 < size <= MOST:
        raise Invalid("volume-size", f"a volume of {size} bytes cannot be", f"at least 1, at most {MOST}", field)
    return -(-size // GRAIN) * GRAIN


def existing(of: Pool, key: VolumeId) -> Volume:
    """The one of this id; raises NotFound ``volume-unknown``."""
    if (found := of.volume(key)) is None:
        raise NotFound("volume-unknown", f"there is no volume {key} in this pool", "look at the pool: it was deleted")
    return found


def usable(of: Pool, key: VolumeId) -> Volume:
    """The one of this id, whole; raises NotFound ``volume-unknown``, Conflict ``volume-troubled``."""
    if (found := existing(of, key)).trouble:
        hint = "have the pool mended, or delete the volume"
        raise Conflict("volume-troubled", f"{found.name} cannot be used: {found.trouble}", hint)
    return found


def is_made(of: Pool, new: NewVolume, origin: VolumeId | None) -> bool:
    """Whether it is there already, as it was asked for; ``new`` is ``checked``.

    Raises Conflict ``volume-id-taken`` where another has its id, ``name-taken`` where another has its name. What is
    half made is not there.
    """
    found = of.volume(new.id)
    if found is None or found.trouble:
        check_name_is_free(of, new.name, new.id)
        return False
    there = origin if origin and of.volume(origin) else None
    if (found.name, found.size, found.read_only, found.origin) != (new.name, new.size, new.read_only, there):
        text = f"the id {new.id} belongs to {found.name} already"
        raise Conflict("volume-id-taken", text, "ask for it under another id")
    return True


def check_name_is_free(of: Pool, name: str, owner: VolumeId) -> None:
    """Raises Conflict ``name-taken`` where another volume than ``owner`` is called so."""
    if any(each.name == name and each.id != owner for each in of.volumes):
        raise Conflict("name-taken", f"another volume of this pool is called {name}", "choose another name", "name")


def check_is_its_snapshot(of: Pool, volume: VolumeId, snapshot: VolumeId) -> None:
    """Raises as ``usable`` for either, and Conflict ``volume-not-its-snapshot``."""
    kept, back = usable(of, snapshot), usable(of, volume)
    if kept.origin != back.id or not kept.read_only:
        text = f"{kept.name} is no snapshot of {back.name}"
        raise Conflict("volume-not-its-snapshot", text, f"choose one of the snapshots of {back.name}")


def check_unused(of: Volume) -> None:
    """Raises Conflict ``volume-in-use``."""
    if of.in_use:
        raise in_use(of.name)


def in_use(what: str) -> Conflict:
    """What is said of a volume that somebody has open."""
    return Conflict("volume-in-use", f"somebody has {what} open", LET_GO)


def check_may_copy(of: Pool) -> None:
    """Raises Conflict ``pool-filling`` where no snapshot or clone is to be made any more."""
    if level(of) in (Level.STOP, Level.FULL):
        worst = max((of.metadata, of.data), key=lambda each: each.share if each else 0.0)
        assert worst is not None, "data is always there"
        what = "room to note what is whose" if worst is of.metadata else "room"
        hint = "delete volumes, or add a disk to the pool"
        raise Conflict("pool-filling", f"{worst.share:.0%} of the pool's {what} is used", hint)


def check_fits(of: Pool, size: int) -> None:
    """Raises Conflict ``pool-too-small`` where a volume of so many bytes cannot be made."""
    if size > of.largest:
        text = f"a volume of {size} bytes is too large: the largest that can be made has {of.largest}"
        raise Conflict("pool-too-small", text, "make it smaller, delete volumes, or add a disk to the pool", "size")


def check_grows(of: Volume, size: int) -> None:
    """Raises Conflict ``volume-shrinks`` where it would lose its end; what was in it there would be gone."""
    if size < of.size:
        text = f"{of.name} has {of.size} bytes already; a volume is never made smaller"
        raise Conflict("volume-shrinks", text, "make a smaller one and copy what is to be kept", "size")


def is_to_be_created(of: Pool, new: NewVolume) -> bool:
    """Whether an empty volume is still to be made; ``new`` is ``checked``.

    Raises as ``is_made``, and Conflict ``pool-too-small``.
    """
    if is_made(of, new, None):
        return False
    check_fits(of, new.size)
    return True


FILLING = "filling"
"""The directory in the daemon's state for files that volumes are filled with, and nothing else."""


def is_to_be_filled(of: Pool, new: NewVolume, holds: Callable[[], tuple[int, int]]) -> bool:
    """Whether a volume with the content of a file is still to be made; ``new`` is ``checked``.

    ``holds`` looks at the file: its size, and the bytes in it that are no holes. Raises what that raises, as
    ``is_to_be_created``, and Invalid ``filling-too-large``.
    """
    if not is_to_be_created(of, new):
        return False
    size, content = holds()
    if size > new.size:
        text = f"what it is to hold has {size} bytes, and the volume {new.size}"
        raise Invalid("filling-too-large", text, "make the volume larger", "size")
    if content > of.data.total - of.data.used:
        text = f"{content} bytes are to be written, and the pool has {of.data.total - of.data.used} left"
        raise Conflict("pool-too-small", text, "delete volumes, or add a disk to the pool")
    return True


def filling_missing(name: str) -> NotFound:
    """What is said of a file that is not there, or is none."""
    text = f"there is no plain file {name[:80]!r} to fill a volume with"
    return NotFound("filling-missing", text, "ask for it again: it is made anew")


def is_to_be_copied(of: Pool, origin: VolumeId, new: NewVolume) -> bool:
    """Whether a snapshot or clone is still to be made; ``new`` is ``checked``.

    Raises as ``is_made``, as ``usable`` for its origin, and Conflict ``pool-filling``, ``volume-shrinks``,
    ``pool-too-small``.
    """
    if is_made(of, new, origin):
        return False
    source = usable(of, origin)
    check_may_copy(of)
    check_grows(source, new.size)
    check_fits(of, new.size)
    return True
