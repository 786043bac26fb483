"""The tasks that bring ISOs in: fetched where it is to be, compared, looked at, listed."""

import asyncio
from collections.abc import Callable
from typing import Any

from appliance.accounts import Asker
from appliance.decoding import converted
from appliance.errors import Conflict, Invalid, NotFound
from appliance.half_upload import Half, removed
from appliance.intake import ISO_ADD, ISO_FETCH, IsoWish, Place
from appliance.iso import Iso
from appliance.reconcile.fetch_image import Checks, Fetch
from appliance.reconcile.half_file import HalfFile
from appliance.reconcile.imports import Content
from appliance.reconcile.intake import Intake
from appliance.reconcile.intake_work import Stage, digest_of
from appliance.reconcile.jobs import JobKind, Running
from appliance.store import isos


class IsoJobs:
    """Does the jobs of an ``Intake`` that are about ISOs."""

    def __init__(self, intake: Intake, clock: Callable[[], float], checks: Checks | None = None) -> None:
        """``checks`` says which addresses are asked; None: all but the appliance itself."""
        self._intake, self._clock, self._checks = intake, clock, checks or Checks()

    def kinds(self) -> dict[str, JobKind]:
        """Both go on after the daemon ended in their middle."""
        return {ISO_FETCH: JobKind(self._fetch, resumes=True, waits=True), ISO_ADD: JobKind(self._add, resumes=True)}

    async def _fetch(self, running: Running) -> dict[str, Any]:
        arguments = running.task.arguments
        wish = converted(arguments["wish"], IsoWish)
        if (done := await self._listed_before(running)) is not None:
            return done
        file = self._file(running)
        half = await Fetch(file, wish, str(arguments["sha256"]), running, self._checks).run(self._clock)
        return await self._listed(running, file, half, wish)

    async def _add(self, running: Running) -> dict[str, Any]:
        if (done := await self._listed_before(running)) is not None:
            return done
        file = self._file(running)
        known = await asyncio.to_thread(file.found)
        if known is None or known[1] != known[0].of.size or not isinstance(known[0].becomes, IsoWish):
            raise removed()
        return await self._listed(running, file, known[0], known[0].becomes)

    def _file(self, running: Running) -> HalfFile:
        return self._intake.file(Place("iso", str(running.task.arguments["name"])))

    async def _listed_before(self, running: Running) -> dict[str, Any] | None:
        """What a daemon that was killed had brought to its end but for the last step; None where it had not."""
        name, file = str(running.task.arguments["name"]), self._file(running)
        try:
            found = await running.store.read(lambda db: isos.get(db, name))
        except NotFound:
            return None
        half = await asyncio.to_thread(file.found)
        not_whole = half is not None and half[1] < half[0].of.size
        older = found.name != name or found.created < running.task.created
        if older or not_whole or self._intake.isos.lacks(found):
            return None
        await asyncio.to_thread(file.forget)
        return _brought(found)

    async def _listed(self, running: Running, file: HalfFile, half: Half, wish: IsoWish) -> dict[str, Any]:
        path = await asyncio.to_thread(file.place)
        if path is None:
            raise removed()
        sha256 = await digest_of(path, Stage(running, 0.4 if wish.url else 0.0, 0.95, "comparing its checksum"))
        await asyncio.to_thread(file.compare, half, sha256)
        by = converted(running.task.arguments["by"], Asker)
        try:
            iso = await self._intake.isos.enlist(wish.name, wish.description, Content(path, sha256), by)
        except (Invalid, Conflict):
            await asyncio.to_thread(file.forget)  # nothing would ever come of it
            raise
        await asyncio.to_thread(file.forget)
        starts = f"starts with {', '.join(iso.firmware)}" if iso.firmware else "does not start by itself"
        await running.say(f"{iso.name}: label {iso.label or 'none'}, {starts}, SHA-256 {iso.sha256}")
        return _brought(iso)


def _brought(iso: Iso) -> dict[str, Any]:
    """The result of the task."""
    return {"iso": iso.id, "name": iso.name, "size": iso.size, "sha256": iso.sha256}
