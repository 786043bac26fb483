"""Files that arrive: piece by piece or from an address, several at once, looked at once they are whole."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from appliance.accounts import Asker
from appliance.errors import Conflict, Invalid, NotFound
from appliance.events import Bus, Event
from appliance.half_upload import Half, Identity, Piece, another, check_identity, removed, same
from appliance.intake import (
    IMAGE_BUILD,
    WAYS,
    Fetched,
    KernelWish,
    Place,
    Wish,
    check_digest,
    checked,
    place_of,
)
from appliance.machine import check_name
from appliance.reconcile import audit
from appliance.reconcile.fetching import check_source
from appliance.reconcile.half_file import HalfFile, read_note
from appliance.reconcile.image_kernels.brought import KernelModules
from appliance.reconcile.image_kernels.wishes import ImageKernels
from appliance.reconcile.imports import Imports
from appliance.reconcile.isos import Isos
from appliance.reconcile.jobs import open_job
from appliance.reconcile.record import Tell, record
from appliance.reconcile.surviving import Surviving
from appliance.store import tasks
from appliance.store.store import Store
from appliance.task import Task

log = logging.getLogger(__name__)

DIRECTORY = "arriving"
"""In those of images, ISOs and kernels, so that what is whole has no other file system to go to."""
MODULES_DIRECTORY = "arriving-modules"
"""In that of kernels: a kernel and its modules may arrive at once, under one name."""
MOST = 50
"""Files that are half here at once."""
LOOK_EVERY = 60.0
"""Seconds between two looks for what nobody goes on with."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One file that is on its way."""

    half: Half
    received: int
    """Bytes that are here."""
    task: Task | None = None
    """What looks at it, once all is here, or fetches it."""

    @property
    def place(self) -> Place:
        """What names it."""
        return place_of(self.wish)

    @property
    def wish(self) -> Wish:
        """What it is to become."""
        assert self.half.becomes is not None, "notes without a wish are of updates, which are kept elsewhere"
        return self.half.becomes

    @property
    def url(self) -> str:
        """Where it is fetched from; empty where it is sent."""
        return "" if isinstance(self.wish, KernelWish) else self.wish.url


class Intake:
    """Owns the files that are half here; methods that change something take ``by``, who asked."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], imports: Imports) -> None:
        self._store, self._bus, self._clock, self.imports = store, bus, clock, imports
        self.isos = Isos(store, bus, clock, imports.images.parent)
        self.kernels = ImageKernels(store, bus, clock, imports)
        self.modules = KernelModules(store, bus, clock, imports)
        self._directories = {
            "image": imports.images / DIRECTORY,
            "iso": self.isos.directory / DIRECTORY,
            "kernel": imports.kernels / DIRECTORY,
            "modules": imports.kernels / MODULES_DIRECTORY,
        }
        self._files: dict[Place, HalfFile] = {}

    def file(self, place: Place) -> HalfFile:
        """The file at a place: one object for all who write it, so that they know of each other."""
        if place not in self._files:
            directory = self._directories[place.kind]
            about, part = directory / f"{place.name}.json", directory / f"{place.name}.part"
            self._files[place] = HalfFile(about, part, lambda: self._pledged(place))
        return self._files[place]

    def _places(self) -> Iterator[Place]:
        """Where something is half here; blocks."""
        for kind, directory in self._directories.items():
            for note in sorted(directory.glob("*.json")):
                yield Place(kind, note.stem)

    def _pledged(self, but: Place) -> int:
        """Bytes that all others were promised room for, and that are not here yet; blocks."""
        halves = [self.file(each).found() for each in self._places() if each != but]
        return sum(max(half.of.size - received, 0) for half, received in filter(None, halves))

    async def standing(self) -> list[Arrival]:
        """All that is half here, in the order of its names."""
        halves = await asyncio.to_thread(lambda: [self.file(each).found() for each in self._places()])
        going = await self._store.read(_going_on)
        known = [half for half in halves if half is not None and half[0].becomes is not None]
        return [_arrival(half, received, going) for half, received in known]

    async def at(self, place: Place) -> Arrival:
        """What is half here at a place; raises NotFound ``upload-missing``."""
        known = await asyncio.to_thread(self._known, place)
        if known is None or known[0].becomes is None:
            raise missing(place)
        return _arrival(*known, await self._store.read(_going_on))

    def _known(self, place: Place) -> tuple[Half, int] | None:
        """Blocks. A name that nothing can have is not looked for on the disk."""
        return self.file(place).found() if place in set(self._places()) else None

    # -- piece by piece

    async def begin(self, wish: Wish, of: Identity, by: Asker, *, replace: bool) -> Arrival:
        """Begin an upload, or go on with it in a turn of one's own; what is whole already is only looked at.

        Raises Invalid; Conflict ``name-taken``, ``upload-other``, ``upload-checked``, ``uploads-many``; ApplianceError
        ``upload-failed`` without room.
        """
        wish, of, place = checked(wish, of.size), check_identity(of), place_of(wish)
        if of.size > place.way.most:
            raise Invalid("upload-large", f"{of.size} bytes are too many for {place}", "choose another file", "size")
        await self._check(place)
        if (going := await self._going(place)) is not None:
            return await self._joined(place, of, going)
        await self._check_number(place)
        half, received, new = await asyncio.to_thread(
            lambda: self.file(place).begin(of, by.name, self._clock(), replace=replace, becomes=wish)
        )
        if new:
            await self._note(by, place, "upload", f"began to upload {place}")
        return await self._whole(half, received, by)

    async def _check(self, place: Place) -> None:
        """Refuse what could not be brought to its end: said before gigabytes come, not after them."""
        if place.kind == "modules":
            await self.modules.check(place.name)
        elif place.kind == "iso":
            await self.isos.check_free(place.name)
        else:
            await self.imports.check_free(*place)

    async def _joined(self, place: Place, of: Identity, going: Task) -> Arrival:
        known = await asyncio.to_thread(self._known, place)
        if known is not None and same(known[0].of, of):
            return Arrival(*known, going)
        raise _busy(going)

    async def _check_number(self, place: Place) -> None:
        present = await asyncio.to_thread(lambda: set(self._places()))
        if place not in present and len(present) >= MOST:
            text = f"{len(present)} files are half uploaded already"
            raise Conflict("uploads-many", text, "go on with one of them, or remove one: qrm images uploads")

    async def take(self, place: Place, turn: str, piece: Piece, chunks: AsyncIterator[bytes], by: Asker) -> Arrival:
        """Store a piece; with the last one a task begins that looks at it. Raises as ``HalfFile.take`` does."""
        if await asyncio.to_thread(self._known, place) is None:
            raise removed()
        half, received = await self.file(place).take(turn, piece, chunks)
        return await self._whole(half, received, by)

    async def _whole(self, half: Half, received: int, by: Asker) -> Arrival:
        if received < half.of.size or half.becomes is None:
            return Arrival(half, received)
        place = place_of(half.becomes)
        title = place.way.adding.format(place.name)
        return Arrival(half, received, await self._open(place.way.add, title, place, by, {}))

    async def forget(self, place: Place, by: Asker) -> None:
        """Remove what is half here. Raises NotFound ``upload-missing``, Conflict ``upload-checked``."""
        await self.at(place)
        if (going := await self._going(place)) is not None:
            raise _busy(going)
        await asyncio.to_thread(self.file(place).forget)
        self._files.pop(place, None)
        await self._note(by, place, "upload", f"removed the half upload of {place}")

    # -- from an address

    async def fetch(self, wish: Fetched, sha256: str, by: Asker, *, replace: bool) -> Task:
        """Fetch it; the task that does so.

        Raises Invalid ``url-invalid``, ``url-refused``, ``digest-invalid``; NotFound ``kernel-unknown``; Conflict
        ``name-taken``, ``upload-other``, ``upload-checked``, and as ``KernelModules.check``.
        """
        checked(wish, 0)
        check_source(wish.url)
        digest, place = check_digest(sha256), place_of(wish)
        await self._check(place)
        if (going := await self._going(place)) is not None:
            raise _busy(going)
        await self._check_number(place)
        known = await asyncio.to_thread(self._known, place)
        if known is not None and known[0].of.sha256 != digest and not replace:
            raise another(*known, Identity(wish.url, 0, digest), "another file")
        arguments = {"wish": msgspec.to_builtins(wish), "sha256": digest}
        return await self._open(place.way.fetch, place.way.fetching.format(wish.name), place, by, arguments)

    # -- by a recipe

    async def build(self, name: str, by: Asker, arguments: dict[str, Any]) -> Task:
        """Have an image made, as ``arguments`` say; the task that does it.

        Raises Invalid for its name; Conflict ``name-taken``, ``upload-other``, ``upload-checked``.
        """
        place = Place("image", check_name(name))
        await self.imports.check_free(*place)
        if (going := await self._going(place)) is not None:
            raise _busy(going)
        if await asyncio.to_thread(self._known, place) is not None:
            hint = f"choose another name, or remove the upload: qrm images stop-upload {name}"
            raise Conflict("upload-other", f"a file that is to be image {name} is half uploaded", hint, "name")
        return await self._open(IMAGE_BUILD, f"Make image {name}", place, by, arguments)

    async def _open(self, kind: str, title: str, place: Place, by: Asker, arguments: dict[str, Any]) -> Task:
        def job(db: sqlite3.Connection, tell: Tell) -> Task:
            if (going := _going_on(db).get(place)) is not None:
                return going
            now, asker = self._clock(), msgspec.to_builtins(by)
            subject = (place.way.subject, place.name, place.name)
            audit.note(db, by, kind, subject, None, arguments, now=now)
            return open_job(db, tell, kind, title, by, now, {"name": place.name, "by": asker, **arguments})

        return await record(self._store, self._bus, job)

    async def _going(self, place: Place) -> Task | None:
        return (await self._store.read(_going_on)).get(place)

    async def _note(self, by: Asker, place: Place, action: str, text: str) -> None:
        now = self._clock()

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            audit.note(db, by, f"{place.kind}.{action}", (place.way.subject, place.name, place.name), now=now)
            tell(Event(f"{place.way.subject}.changed", now, f"{by} {text}"))

        await record(self._store, self._bus, job)

    # -- what nobody goes on with

    async def run(self) -> None:
        """Remove what nobody went on with for a day, and what belongs to nothing; runs until cancelled."""
        with Surviving(log, "what is left of uploads stays"):
            await asyncio.to_thread(self._sweep)
        while True:
            with Surviving(log, "old uploads stay"):
                await self._end_old()
            await asyncio.sleep(LOOK_EVERY)

    def _sweep(self) -> None:
        for directory in self._directories.values():
            for path in directory.glob("*"):
                note = directory / f"{path.name.partition('.')[0]}.json"
                if path.name.endswith(".json.part") or read_note(note) is None:
                    log.warning("%s belongs to no upload, and is removed", path)
                    path.unlink(missing_ok=True)

    async def _end_old(self) -> None:
        going = await self._store.read(_going_on)
        present = await asyncio.to_thread(lambda: list(self._places()))
        for over in set(self._files) - set(present) - set(going):
            del self._files[over]
        for place in present:
            if place not in going and (text := await asyncio.to_thread(self._outlived, place)):
                log.warning("%s", text)
                await self._tell(Event(f"{place.way.subject}.changed", self._clock(), text, "nobody went on with it"))

    async def _tell(self, event: Event) -> None:
        await record(self._store, self._bus, lambda _, tell: tell(event))

    def _outlived(self, place: Place) -> str:
        """Blocks; empty where it stays."""
        known = self.file(place).outlived(self._clock())
        if known is None:
            return ""
        self._files.pop(place, None)
        half, received = known
        what = f"the upload of {place} is removed"
        return f"{what}: {received} of {half.of.size} bytes came, and none for a day"


def _arrival(half: Half, received: int, going: dict[Place, Task]) -> Arrival:
    assert half.becomes is not None
    return Arrival(half, received, going.get(place_of(half.becomes)))


_KINDS = {
    **{task: kind for kind, way in WAYS.items() for task in (way.add, way.fetch) if task},
    IMAGE_BUILD: "image",
}
"""What brings a file to a place of which kind, by the kind of the task."""


def _going_on(db: sqlite3.Connection) -> dict[Place, Task]:
    """The tasks that are at arrivals."""
    found = [task for task in tasks.open_jobs(db) if task.kind in _KINDS]
    return {Place(_KINDS[task.kind], str(task.arguments["name"])): task for task in found}


def _busy(task: Task) -> Conflict:
    hint = f"wait until that is done, or cancel it: qrm tasks cancel {task.id}"
    return Conflict("upload-checked", f"{task.title} goes on (task {task.id})", hint)


def missing(place: Place) -> NotFound:
    """Where nothing is half here."""
    what = place.way.called.format(repr(place.name[:80]))
    return NotFound("upload-missing", f"nothing is half uploaded of {what}", "begin to upload it")
