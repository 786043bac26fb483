"""A pool in a directory: a sparse file for each volume, with a record beside it. It needs no privilege.

A clone shares its blocks with its origin where the file system can (XFS, Btrfs); else a clone of what nobody writes is
an overlay upon it, in QEMU's format, and a clone of anything else is a copy.
"""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from appliance.blocking import in_a_thread
from appliance.errors import ApplianceError, Conflict
from appliance.storage import directory_filling as filling
from appliance.storage import given
from appliance.storage.content import is_open
from appliance.storage.directory_contents import Contents, look
from appliance.storage.directory_making import filled_from, make, replace
from appliance.storage.directory_mending import forget, mend
from appliance.storage.driver import Hears, unheard
from appliance.storage.folder import FULL, Folder, Step, go_on, opened
from appliance.storage.record import WHOLE, Record, written
from appliance.volume import (
    GRAIN,
    Filling,
    Format,
    NewVolume,
    Pool,
    PoolKind,
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

T = TypeVar("T")
VOLUMES = "volumes"
"""The directory in a pool's that has its volumes, and marks it as one: there is none where its disk is not mounted."""


class Stopped(Exception):
    """Whoever asked does not want it any more."""


def room_of(descriptor: int) -> Filling:
    """Of a file system: all that there is, and what users like us cannot have of it. Raises OSError."""
    said = os.fstatvfs(descriptor)
    return Filling(said.f_blocks * said.f_frsize, (said.f_blocks - said.f_bavail) * said.f_frsize)


def prepare(place: Path) -> None:
    """Make a directory a pool; nothing happens where it is one.

    Raises Conflict ``pool-unsuited`` where the file system does not tell who has a file open (NFS), ``pool-shared``,
    and ApplianceError ``storage-failed``.
    """
    with told(place):
        (place / VOLUMES).mkdir(mode=0o700, exist_ok=True)
        with opened(place / VOLUMES) as folder:
            _check_leases(folder)


def _check_leases(folder: Folder) -> None:
    name = f"{os.urandom(8).hex()}.lease"
    descriptor = folder.make(name)
    try:
        suited = not is_open(descriptor)
    except OSError:
        suited = False
    finally:
        os.close(descriptor)
        folder.remove(name)
    if not suited:
        hint = "take a directory on a disk of this computer"
        raise Conflict("pool-unsuited", f"the file system of {folder.path} cannot tell who has a file open", hint)


@contextlib.contextmanager
def told(place: Path) -> Iterator[None]:
    """Errors of the system as ours: Conflict ``pool-too-small`` for a full file system, else ``storage-failed``."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            hint = "delete volumes, or make room on it"
            raise Conflict("pool-too-small", f"the file system of {place} is full", hint) from error
        hint = "see what the kernel says of its disk: journalctl -k"
        raise ApplianceError("storage-failed", f"{place}: {error.strerror or error}", hint) from error


class DirectoryPool:
    """The volumes in a directory that was prepared.

    ``step`` is called before each change, ``room`` tells how full a file system is, ``hears`` is told how far a copy is
    that takes a while.
    """

    def __init__(
        self,
        place: Path,
        clock: Callable[[], float] = time.time,
        room: Callable[[int], Filling] = room_of,
        step: Step = go_on,
        hears: Hears = unheard,
    ) -> None:
        self._place, self._clock, self._room, self._step, self._hears = place, clock, room, step, hears

    async def look(self) -> Pool:
        """What the directory has now."""
        return await self._alone(self._pool)

    async def create(self, new: NewVolume) -> None:
        """A file that is one hole."""
        await self._alone(lambda folder: self._create(folder, checked(new)))

    async def copy(self, origin: VolumeId, new: NewVolume) -> None:
        """Shared blocks, an overlay, or a copy; Conflict ``volume-in-use`` where a copy would not be of one instant."""
        hears = self._from_a_thread()
        await self._alone(lambda folder: self._copy(folder, origin, checked(new), hears))

    async def fill(self, new: NewVolume, source: Path, file_system: str = "") -> None:
        """Shared blocks, or a copy with its holes."""
        hears = self._from_a_thread()
        await self._alone(lambda folder: self._fill(folder, checked(new), source, hears))

    async def grow(self, volume: VolumeId, size: int) -> None:
        """Its file first, then its record. Raises Conflict ``volume-in-use`` for an image that a VM has open."""
        await self._alone(lambda folder: self._grow(folder, volume, rounded(size)))

    async def roll_back(self, volume: VolumeId, snapshot: VolumeId) -> None:
        """A second file with what the snapshot has, which then takes the place of the first."""
        hears = self._from_a_thread()
        await self._alone(lambda folder: self._roll_back(folder, volume, snapshot, hears))

    async def rename(self, volume: VolumeId, name: str) -> None:
        """In its record."""
        await self._alone(lambda folder: self._rename(folder, volume, name))

    async def delete(self, volume: VolumeId) -> None:
        """Its record says so first."""
        await self._alone(lambda folder: self._delete(folder, volume))

    async def mend(self, but: Collection[VolumeId] = ()) -> tuple[str, ...]:
        """What is half made or half removed goes, what has grown is noted. Nobody fills anything beside others here."""
        return await self._alone(lambda folder: mend(folder, look(folder)))

    async def _alone(self, work: Callable[[Folder], T]) -> T:
        """In a thread, which ends at its next step where whoever waits is cancelled."""
        return await in_a_thread(lambda stop: self._run(work, stop))

    def _from_a_thread(self) -> Hears:
        """Who hears, on the loop that asks."""
        loop = asyncio.get_running_loop()

        def hears(progress: float | None, message: str) -> None:
            loop.call_soon_threadsafe(self._hears, progress, message)

        return hears

    def _run(self, work: Callable[[Folder], T], stop: threading.Event) -> T:
        def step() -> None:
            if stop.is_set():
                stop.clear()  # said once: what takes a change back has steps too
                raise Stopped
            self._step()

        with told(self._place), opened(self._place / VOLUMES, step) as folder:
            return work(folder)

    def _pool(self, folder: Folder, there: Contents | None = None) -> Pool:
        there = there or look(folder)
        room = self._room(folder.descriptor)
        return Pool(
            PoolKind.DIRECTORY,
            room,
            tuple(each.volume for each in there.found.values()),
            members=(str(self._place),),
            foreign=there.foreign,
            largest=room.total // GRAIN * GRAIN,
        )

    def _create(self, folder: Folder, new: NewVolume) -> None:
        there = look(folder)
        if not is_to_be_created(self._pool(folder, there), new):
            return

        def fill(record: Record) -> Record:
            filling.empty(folder, f"{new.id}.{record.format}", new.size)
            return record

        make(folder, there, new, self._record(new, None, Format.RAW, None), fill)

    def _copy(self, folder: Folder, origin: VolumeId, new: NewVolume, hears: Hears) -> None:
        there = look(folder)
        if not is_to_be_copied(self._pool(folder, there), origin, new):
            return
        source = there.found[origin]

        def fill(record: Record) -> Record:
            return filled_from(folder, source, new, record, hears)

        same = source.record
        make(folder, there, new, self._record(new, origin, same.format, same.needs), fill)

    def _fill(self, folder: Folder, new: NewVolume, source: Path, hears: Hears) -> None:
        there = look(folder)
        if not is_to_be_filled(self._pool(folder, there), new, lambda: given.holds(source)):
            return

        def fill(record: Record) -> Record:
            filling.given(folder, source, f"{new.id}.{record.format}", hears)
            filling.fit(folder, f"{new.id}.{record.format}", record.format, new.size)
            return record

        make(folder, there, new, self._record(new, None, Format.RAW, None), fill)

    def _record(self, new: NewVolume, origin: VolumeId | None, kind: Format, needs: str | None) -> Record:
        return Record(
            name=new.name,
            size=new.size,
            read_only=new.read_only,
            created=self._clock(),
            origin=origin,
            format=kind,
            needs=needs,
        )

    def _grow(self, folder: Folder, volume: VolumeId, size: int) -> None:
        there = look(folder)
        pool = self._pool(folder, there)
        if size <= usable(pool, volume).size:
            return
        check_fits(pool, size)
        found = there.found[volume]
        if found.record.format is Format.QCOW2:
            check_unused(found.volume)
        with folder.putting(f"{volume}.{WHOLE}", written(msgspec.structs.replace(found.record, size=size))):
            if found.holds < size:
                filling.fit(folder, found.file, found.record.format, size)

    def _roll_back(self, folder: Folder, volume: VolumeId, snapshot: VolumeId, hears: Hears) -> None:
        there = look(folder)
        pool = self._pool(folder, there)
        check_is_its_snapshot(pool, volume, snapshot)
        check_unused(existing(pool, volume))
        found, kept = there.found[volume], there.found[snapshot]
        if found.record.read_only:
            return  # neither was written since
        if (found.record.format, found.record.needs) != (kept.record.format, kept.record.needs):
            text = f"{kept.record.name} was not made from what {found.record.name} is now"
            raise Conflict("volume-not-its-snapshot", text, "clone the snapshot instead")
        replace(folder, found, kept, hears)

    def _rename(self, folder: Folder, volume: VolumeId, name: str) -> None:
        there = look(folder)
        pool = self._pool(folder, there)
        if usable(pool, volume).name != check_name(name):
            check_name_is_free(pool, name, volume)
            record = msgspec.structs.replace(there.found[volume].record, name=name)
            folder.put(f"{volume}.{WHOLE}", written(record))

    def _delete(self, folder: Folder, volume: VolumeId) -> None:
        there = look(folder)
        if (found := there.found.get(volume)) is None:
            return
        check_unused(found.volume)
        if needing := there.needing(volume):
            text = f"{found.record.name} has what these are made of: {', '.join(sorted(needing))}"
            raise Conflict("volume-needed", text, "delete those first")
        forget(folder, found)
