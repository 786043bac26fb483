"""A pool that is nothing but values: for tests, and to try what would happen. It is thin, as LVM's best are."""

import errno
import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from appliance.errors import ApplianceError, NotFound
from appliance.storage import given
from appliance.volume import (
    GRAIN,
    Filling,
    NewVolume,
    Pool,
    PoolKind,
    Volume,
    VolumeId,
    check_fits,
    check_is_its_snapshot,
    check_name,
    check_name_is_free,
    check_unused,
    checked,
    existing,
    is_to_be_copied,
    is_to_be_created,
    is_to_be_filled,
    rounded,
    usable,
)

BLOCK = 64 << 10
"""Bytes that a pool gives to a volume at a time, once something is written there."""
NOTE = 64
"""Bytes of metadata for each block and each volume."""
MAKING, REMOVING = "half made", "half removed"


class CutOff(BaseException):
    """The daemon was killed here. Nobody handles it: who is dead tidies nothing up."""


@dataclass(slots=True)
class _Kept:
    """A volume; blocks of several volumes are the same object where nobody wrote them since they were copied."""

    new: NewVolume
    origin: VolumeId | None
    created: float
    blocks: dict[int, bytearray] = field(default_factory=dict)
    coming: dict[int, bytearray] | None = None
    """What it is rolled back to, while that is under way."""
    trouble: str = MAKING


@dataclass(slots=True)
class Memory:
    """What a pool's disks would be: it outlives its driver. Tests set its fields."""

    size: int = 1 << 40
    """Bytes for content."""
    metadata: int = 1 << 30
    """Bytes to note what is whose."""
    here: bool = True
    """False: its disks were pulled out."""
    failing: ApplianceError | None = None
    """Raised by every call while it is set."""
    refusing: dict[str, ApplianceError] = field(default_factory=dict)
    """Raised by the call of that name, as long as it stands here."""
    opened: set[VolumeId] = field(default_factory=set)
    """Those that somebody has open."""
    steps_left: int | None = None
    """CutOff is raised before the step after so many, and before each step after that one; None: never."""
    asked: list[str] = field(default_factory=list)
    """The names of all calls, in their order."""
    kept: dict[VolumeId, _Kept] = field(default_factory=dict)

    def step(self) -> None:
        """One more inner step of a call is about to be done."""
        if self.steps_left is None:
            return
        if self.steps_left == 0:
            raise CutOff
        self.steps_left -= 1

    def filled(self) -> int:
        """Blocks in use, each counted once however many volumes have it."""
        every = (
            block for kept in self.kept.values() for at in (kept.blocks, kept.coming or {}) for block in at.values()
        )
        return len({id(block) for block in every})

    def read(self, key: VolumeId, at: int, count: int) -> bytes:
        """So many bytes of a volume, as a machine reads them."""
        kept, out = self.kept[key], bytearray()
        while len(out) < min(count, kept.new.size - at):
            number, inside = divmod(at + len(out), BLOCK)
            out += kept.blocks.get(number, bytes(BLOCK))[inside:]
        return bytes(out[: min(count, kept.new.size - at)])

    def write(self, key: VolumeId, at: int, data: bytes) -> None:
        """As a machine writes them. Raises OSError ENOSPC where the pool is full, or the volume ends before."""
        kept = self.kept[key]
        if at + len(data) > kept.new.size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        while data:
            number, inside = divmod(at, BLOCK)
            self._own_block(kept, number)[inside : inside + len(data)] = data[: BLOCK - inside]
            at, data = at + BLOCK - inside, data[BLOCK - inside :]

    def _own_block(self, kept: _Kept, number: int) -> bytearray:
        """A block that no other volume has."""
        had = kept.blocks.get(number)
        if had is not None and not any(other.blocks.get(number) is had for other in self._others(kept)):
            return had
        if self.room() < BLOCK or self.room_for_notes() < NOTE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        made = kept.blocks[number] = bytearray(had or bytes(BLOCK))
        return made

    def _others(self, kept: _Kept) -> list[_Kept]:
        return [each for each in self.kept.values() if each is not kept]

    def room(self) -> int:
        """Bytes for content that are free."""
        return self.size - BLOCK * self.filled()

    def room_for_notes(self) -> int:
        """Bytes of metadata that are free."""
        return self.metadata - NOTE * (self.filled() + len(self.kept))


class MemoryPool:
    """Does at once what it is asked, in steps between which it can be cut off."""

    def __init__(self, memory: Memory, clock: Callable[[], float] = time.time) -> None:
        self._memory, self._clock = memory, clock

    async def look(self) -> Pool:
        """What is kept."""
        self._take("look")
        return self._seen()

    async def create(self, new: NewVolume) -> None:
        """An entry, and nothing in it."""
        self._take("create")
        new = checked(new)
        if is_to_be_created(self._seen(), new):
            self._make(new, None)

    async def copy(self, origin: VolumeId, new: NewVolume) -> None:
        """The same blocks once more."""
        self._take("copy")
        new = checked(new)
        if is_to_be_copied(self._seen(), origin, new):
            self._make(new, origin)

    async def fill(self, new: NewVolume, source: Path, file_system: str = "") -> None:
        """Block by block."""
        self._take("fill")
        new = checked(new)
        if is_to_be_filled(self._seen(), new, lambda: given.holds(source)):
            self._make(new, None, source)

    async def grow(self, volume: VolumeId, size: int) -> None:
        """A number."""
        self._take("grow")
        size = rounded(size)
        if size > usable(seen := self._seen(), volume).size:
            check_fits(seen, size)
            self._change(volume, size=size)

    async def roll_back(self, volume: VolumeId, snapshot: VolumeId) -> None:
        """The snapshot's blocks beside its own, then in their place."""
        self._take("roll_back")
        seen = self._seen()
        check_is_its_snapshot(seen, volume, snapshot)
        check_unused(existing(seen, volume))
        kept = self._memory.kept[volume]
        self._memory.step()
        kept.coming = dict(self._memory.kept[snapshot].blocks)
        self._memory.step()
        kept.blocks, kept.coming = kept.coming, None

    async def rename(self, volume: VolumeId, name: str) -> None:
        """A word."""
        self._take("rename")
        seen = self._seen()
        if usable(seen, volume).name != check_name(name):
            check_name_is_free(seen, name, volume)
            self._change(volume, name=name)

    async def delete(self, volume: VolumeId) -> None:
        """Marked first, then gone."""
        self._take("delete")
        if found := self._seen().volume(volume):
            check_unused(found)
            self._memory.step()
            self._memory.kept[volume].trouble = REMOVING
            self._forget(volume)

    async def mend(self, but: Collection[VolumeId] = ()) -> tuple[str, ...]:
        """What is half made or half removed goes; what was to come into a volume's place is dropped."""
        self._take("mend")
        said = []
        for key, kept in list(self._memory.kept.items()):
            if key in but:
                continue
            if kept.trouble:
                said.append(f"{kept.new.name} ({key}) was {kept.trouble}, and was taken away")
                self._forget(key)
            elif kept.coming is not None:
                said.append(f"{kept.new.name} ({key}) was about to be rolled back, and is as it was")
                self._memory.step()
                kept.coming = None
        return tuple(said)

    def _take(self, what: str) -> None:
        memory = self._memory
        memory.asked.append(what)
        if trouble := memory.failing or memory.refusing.get(what):
            raise trouble
        if not memory.here:
            raise NotFound("pool-missing", "the pool is not there", "see that its disks are connected")

    def _seen(self) -> Pool:
        memory = self._memory
        return Pool(
            PoolKind.MEMORY,
            Filling(memory.size, memory.size - memory.room()),
            tuple(_volume(kept, memory) for kept in memory.kept.values()),
            Filling(memory.metadata, memory.metadata - memory.room_for_notes()),
            largest=memory.size // GRAIN * GRAIN,
        )

    def _make(self, new: NewVolume, origin: VolumeId | None, source: Path | None = None) -> None:
        memory = self._memory
        memory.step()
        memory.kept[new.id] = kept = _Kept(new, origin, self._clock())
        if origin is not None:
            memory.step()
            kept.blocks = dict(memory.kept[origin].blocks)
        if source is not None:
            self._write_all(new.id, source)
        memory.step()
        kept.trouble = ""

    def _write_all(self, key: VolumeId, source: Path) -> None:
        """What is no hole."""
        with given.opened(source) as file:
            for at in range(0, file.seek(0, os.SEEK_END), BLOCK):
                file.seek(at)
                if (data := file.read(BLOCK)).strip(b"\0"):
                    self._memory.step()
                    self._memory.write(key, at, data)

    def _change(self, volume: VolumeId, *, name: str | None = None, size: int | None = None) -> None:
        kept = self._memory.kept[volume]
        self._memory.step()
        kept.new = NewVolume(volume, name or kept.new.name, size or kept.new.size, kept.new.read_only)

    def _forget(self, volume: VolumeId) -> None:
        self._memory.step()
        self._memory.kept.pop(volume)


def _volume(kept: _Kept, memory: Memory) -> Volume:
    return Volume(
        id=kept.new.id,
        name=kept.new.name,
        size=kept.new.size,
        used=BLOCK * len(kept.blocks),
        origin=kept.origin if kept.origin in memory.kept else None,
        read_only=kept.new.read_only,
        path=f"/memory/{kept.new.id}",
        in_use=kept.new.id in memory.opened,
        created=kept.created,
        trouble=kept.trouble,
    )
