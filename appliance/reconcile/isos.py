"""ISOs that users bring: streamed to disk, looked at, listed, and kept as long as a VM has one in a drive."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from appliance.accounts import Asker
from appliance.catalogue import LONGEST_DESCRIPTION
from appliance.errors import Conflict, NotFound
from appliance.events import Bus, Event
from appliance.iso import Iso, IsoId, file_name
from appliance.machine import check_length, check_name
from appliance.on_disk import sync
from appliance.reconcile import audit, leftovers
from appliance.reconcile.consequences import Consequences
from appliance.reconcile.imports import Content, check_new_image, receiving
from appliance.reconcile.record import Tell, announce, record
from appliance.reconcile.vm_readers import let_read, reader
from appliance.store import catalogue, isos
from appliance.store.store import Store

DIRECTORY = "isos"
"""In the state directory; a file there is called after its content."""
MOST_NAMED = 5

InDrives = Callable[[Path], Awaitable[Sequence[str]]]
"""The names of all VMs that have the file in a CD-ROM drive, as they run or as they are stored.

Raises ApplianceError ``host-unreachable`` where that cannot be told.
"""


async def _nobody(_: Path) -> Sequence[str]:
    return ()


class Isos:
    """Owns ``<state_dir>/isos``. Methods that change something take ``by``, who asked."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], state_dir: Path) -> None:
        self._store, self._bus, self._clock, self._state_dir = store, bus, clock, state_dir
        self.directory = state_dir / DIRECTORY
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.in_drives: InDrives = _nobody
        """Asked before one is deleted; set by whoever knows of VMs."""
        self._reader = reader()

    def path(self, of: Iso) -> Path:
        """Where its content is."""
        return self.directory / file_name(of.sha256)

    def lacks(self, of: Iso) -> bool:
        """Whether its content is not here: the state was restored from a backup without it."""
        return not self.path(of).is_file()

    async def at(self, path: str) -> Iso | None:
        """The one whose file that is; None for any other file."""
        known = await self._store.read(isos.every)
        return next((each for each in known if str(self.path(each)) == path), None)

    async def add(self, name: str, description: str, chunks: AsyncIterator[bytes], by: Asker, expected: int = 0) -> Iso:
        """Store what comes in one go; raises Invalid ``iso-format`` for what is no disc, and as ``enlist``."""
        check_new_image(name, description)
        async with receiving(self.directory, chunks, expected) as received:
            return await self.enlist(name, description, Content(received.path, received.sha256), by)

    async def enlist(self, name: str, description: str, content: Content, by: Asker) -> Iso:
        """List a file that is here; it stays where it is, too.

        Raises Invalid ``iso-format``; Conflict ``name-taken``, ``iso-there``, ``content-differs``.
        """
        new = await asyncio.to_thread(_looked_at, name, description, content, self._clock())

        def job(db: sqlite3.Connection, tell: Tell) -> Iso:
            stored = self._refilled(db, new) or isos.add(db, new)
            # Inside the transaction: what is listed has its content in place.
            self._put(content.path, self.path(stored))
            catalogue.forget_doomed(db, [self._relative(stored)])
            tell(Event("iso.changed", self._clock(), f"{by} added ISO {stored.name}"))
            audit.note(db, by, "iso.create", ("iso", stored.id, stored.name), None, stored, now=self._clock())
            return stored

        return await record(self._store, self._bus, job)

    def _refilled(self, db: sqlite3.Connection, new: Iso) -> Iso | None:
        """The one of this name, if its content is not here and this is it; raises Conflict for other content."""
        found = next((each for each in isos.every(db) if each.name == new.name), None)
        if found is None or not self.lacks(found):
            return None
        if found.sha256 != new.sha256:
            text = f"{new.name} is here without its content, and this is another one"
            hint = f"bring the file with the SHA-256 {found.sha256}, or choose another name"
            raise Conflict("content-differs", text, hint, "name")
        return found

    def _put(self, content: Path, place: Path) -> None:
        """As a second name of the same file. It can be read there before it is seen there."""
        part = place.with_suffix(".part")
        part.unlink(missing_ok=True)
        try:
            os.link(content, part)
        except PermissionError:  # a file system without second names, such as FAT (link(2), EPERM)
            content.replace(part)
        self._let_read(part)
        part.replace(place)
        sync(place.parent)

    def _let_read_all(self, paths: Sequence[Path]) -> None:
        for each in paths:
            self._let_read(each)

    def _let_read(self, path: Path) -> None:
        let_read(path, (self._state_dir, self.directory), self._reader)

    async def check_free(self, name: str) -> None:
        """Raise Conflict ``name-taken``: said before gigabytes come. One whose content is missing may come again."""
        try:
            found = await self._store.read(lambda db: isos.get(db, name))
        except NotFound:
            return
        if found.name == name and not self.lacks(found):
            raise Conflict("name-taken", f"another ISO is called {name}", "choose another name", "name")

    async def change(self, key: str, name: str | None, description: str | None, by: Asker) -> Iso:
        """Change what it is called and what is said of it; None leaves that as it is.

        VMs that have it are not touched: they know its file. Raises Invalid, Conflict ``name-taken``.
        """

        def job(db: sqlite3.Connection, tell: Tell) -> Iso:
            before = isos.get(db, key)
            after = replace(
                before,
                name=before.name if name is None else check_name(name),
                description=before.description
                if description is None
                else check_length(description, LONGEST_DESCRIPTION, "description"),
            )
            if after != before:
                isos.change(db, after)
                tell(Event("iso.changed", self._clock(), f"{by} changed ISO {before.name}"))
                audit.note(db, by, "iso.change", ("iso", after.id, after.name), before, after, now=self._clock())
            return after

        return await record(self._store, self._bus, job)

    async def deletion(self, key: str) -> Consequences:
        """What it would mean to delete it. Raises NotFound; ApplianceError where VMs cannot be asked."""
        iso = await self._store.read(lambda db: isos.get(db, key))
        size = f"{iso.size / 1e9:.1f} GB" if iso.size >= 10**8 else f"{iso.size / 1e6:.1f} MB"
        text = f"The file of {iso.name}, {size}, is deleted: nothing brings it back but the same file brought again."
        return Consequences((text,), confirm=iso.name, refused=_used(await self.in_drives(self.path(iso))))

    async def delete(self, key: str, by: Asker) -> None:
        """Forget it and its file. Raises NotFound; Conflict ``iso-used`` with the VMs that have it in a drive."""
        iso = await self._store.read(lambda db: isos.get(db, key))
        if used := _used(await self.in_drives(self.path(iso))):
            raise Conflict("iso-used", f"{iso.name} cannot be deleted: {used}")

        def job(db: sqlite3.Connection, tell: Tell) -> Iso:
            found = isos.get(db, IsoId(iso.id))
            isos.delete(db, found.id)
            catalogue.doom(db, [self._relative(found)])
            tell(Event("iso.changed", self._clock(), f"{by} deleted ISO {found.name}"))
            audit.note(db, by, "iso.delete", ("iso", found.id, found.name), found, now=self._clock())
            return found

        deleted = await record(self._store, self._bus, job)
        await self._store.write(lambda db: self._remove(db, deleted))

    def _remove(self, db: sqlite3.Connection, deleted: Iso) -> None:
        """Unless the same content was brought once more meanwhile."""
        if (path := self._relative(deleted)) in catalogue.doomed(db):
            leftovers.remove(self.path(deleted))
            if not self.path(deleted).exists():
                catalogue.forget_doomed(db, [path])

    def _relative(self, of: Iso) -> str:
        return str(self.path(of).relative_to(self._state_dir))

    async def sweep(self) -> None:
        """Finish what a crash cut off, keep aside what nothing names, and let VMs read the rest. Before any upload."""
        known = await self._store.read(isos.every)
        doomed = await self._store.read(catalogue.doomed)
        here = {Path(path).name for path in doomed if Path(path).parent.name == DIRECTORY}
        named = {file_name(each.sha256) for each in known}
        aside = await asyncio.to_thread(leftovers.clear, self.directory, named, here - named)
        if aside:
            text = f"ISOs that the state does not name were kept: {aside}; bring them anew or remove them"
            why = "the state was lost or restored, or a crash cut an upload off"
            await announce(self._store, self._bus, Event("daemon.trouble", self._clock(), text, why))
        present = [self.path(each) for each in known if not self.lacks(each)]
        await asyncio.to_thread(self._let_read_all, present)
        if names := [each.name for each in known if self.lacks(each)]:
            text = f"ISOs without content here: {_listed(names)}; bring the same files again under the same names"
            why = "the state was restored from a backup without them"
            await announce(self._store, self._bus, Event("daemon.trouble", self._clock(), text, why))


def _looked_at(name: str, description: str, content: Content, now: float) -> Iso:
    from appliance.imageformat.iso9660 import disc_in  # here: most appliances never see a disc

    size = content.path.stat().st_size
    with content.path.open("rb") as stored:
        disc = disc_in(stored, size)
    return Iso(IsoId(0), name, description, size, content.sha256, now, disc.label, disc.firmware)


def _used(vms: Sequence[str]) -> str:
    return f"{_listed(vms)} would miss it in the CD-ROM drive; eject it there first" if vms else ""


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
