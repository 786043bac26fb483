"""Updates of the appliance as users ask for them: bring one, install it, restart into it, go back.

What is done needs root and is the privileged helper's; here are wishes, and the tasks that users watch.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from appliance import __version__
from appliance.accounts import Asker
from appliance.errors import ApplianceError, Conflict
from appliance.events import Bus
from appliance.privileged.client import Privileged
from appliance.privileged.verbs import power as power_verbs
from appliance.privileged.verbs import update as verbs
from appliance.reconcile import audit
from appliance.reconcile.incoming_update import IncomingUpdate, Waiting
from appliance.reconcile.jobs import JobKind, Running, open_job
from appliance.reconcile.record import Tell, record
from appliance.reconcile.update_desk import Desk, check_no_task, open_task
from appliance.reconcile.update_install import Installation
from appliance.reconcile.update_news import RECORD, UpdateNews
from appliance.reconcile.update_standing import Standing
from appliance.reconcile.update_uploads import Uploads
from appliance.store.store import Store
from appliance.task import UPDATE_DOWNLOAD, UPDATE_INSTALL, Task
from appliance.updates.bundle import older
from appliance.updates.record import check_no_trial
from appliance.updates.slots import booted_of


class Updates:
    """Every method that changes something takes ``by``, who asked; raises ApplianceError."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Callable[[], float],
        state_dir: Path,
        privileged: Privileged,
        record_path: Path = RECORD,
    ) -> None:
        self._desk = Desk(store, bus, clock, privileged)
        self._state_dir, self._incoming = state_dir, IncomingUpdate(state_dir)
        self._uploads: Uploads | None = None
        self.news = UpdateNews(self._desk, state_dir, self._outlived, record_path)

    @property
    def uploads(self) -> Uploads:
        """Updates that come piece by piece."""
        if self._uploads is None:
            self._uploads = Uploads(self._desk, self._state_dir)
        return self._uploads

    async def standing(self) -> Standing:
        """What there is."""
        privileged = self._desk.privileged
        if not privileged.here:
            return Standing(here=False)
        waiting = await asyncio.to_thread(self._incoming.waiting)
        task = await self._desk.store.read(open_task)
        half = await self.uploads.standing() if self._incoming.half_there() else None
        try:
            found = await privileged.call(verbs.Slots())
        except ApplianceError as error:
            return Standing(True, waiting=waiting, half=half, task=task, trouble=error.message)
        return Standing(True, tuple(found.slots), found.record, found.installing, waiting, half, task)

    # -- bringing one

    async def receive(self, chunks: AsyncIterator[bytes], expected: int, by: Asker) -> Waiting:
        """Store an upload, look at its signature, and keep it where that is good; ``expected`` bytes, if known.

        Raises Conflict ``update-busy``, ``upload-checked``; Invalid with what is wrong with it; ApplianceError
        ``upload-failed``.
        """
        await self._desk.check_free()
        async with self._desk.alone("an update is being uploaded"):
            found = await self._received(chunks, expected)
        await self._desk.note(by, "update.bring", f"brought update {found.bundle.version}", found.bundle.version)
        return found

    async def _received(self, chunks: AsyncIterator[bytes], expected: int) -> Waiting:
        if self._incoming.half_there():
            await self.uploads.give_way()
        size = await self._incoming.receive(chunks, expected)
        try:
            bundle = await self._desk.inspect()
        except BaseException:
            await asyncio.to_thread(self._incoming.discard)
            raise
        return await asyncio.to_thread(self._incoming.known, bundle, size, self._desk.clock())

    async def download(self, url: str, by: Asker) -> Task:
        """Fetch an update; the task that does it.

        Raises Invalid ``url-invalid``, ``url-refused``; Conflict ``update-on-trial``, since it could not be installed.
        """
        from appliance.reconcile.fetching import check_source

        self._desk.require_appliance()
        check_source(url)
        await self._check_no_trial()
        return await self._open(UPDATE_DOWNLOAD, "Fetch an update", {"url": url}, by)

    async def discard(self, by: Asker) -> None:
        """Remove what was brought; nothing there is no error."""
        async with self._desk.alone():
            await self._desk.check_free()
            await asyncio.to_thread(self._incoming.discard)
        await self._desk.note(by, "update.discard", "removed the update that was brought", "update")

    # -- installing it, and which slot starts

    async def install(self, version: str, confirm: str | None, by: Asker) -> Task:
        """Write what was brought to the slot that does not run; the task that does it.

        Raises Conflict ``bundle-missing``, ``bundle-changed``, ``update-on-trial``, and ``confirmation-needed`` for an
        older version.
        """
        self._desk.require_appliance()
        waiting = await asyncio.to_thread(self._incoming.waiting)
        if waiting is None:
            raise Conflict("bundle-missing", "there is no update to install", "bring one first")
        if waiting.bundle.version != version:
            text = f"the update is version {waiting.bundle.version} now"
            raise Conflict("bundle-changed", text, "look at it again", "version")
        if older(version, __version__) and confirm != version:
            text = f"version {version} is older than the one that runs, and may not read its state"
            raise Conflict("confirmation-needed", text, f"confirm with {version!r}", "confirm")
        await self._check_no_trial()
        return await self._open(UPDATE_INSTALL, f"Install update {version}", {"version": version}, by)

    async def _check_no_trial(self) -> None:
        found = await self._desk.privileged.call(verbs.Slots())
        check_no_trial(found.record, booted_of(found.slots).letter)

    async def restart(self, by: Asker) -> None:
        """Restart the appliance, into the slot that is first."""
        await self._desk.check_free()
        await self._desk.note(by, "update.restart", "restarts the appliance", "update")
        await self._desk.privileged.call(power_verbs.Reboot())

    async def go_back(self, slot: str, confirm: str | None, by: Asker) -> None:
        """Have the other slot started next, without what was stored since it ran where it cannot read that.

        Raises Conflict ``confirmation-needed``, ``slot-changed``, ``slot-empty``, ``update-busy``.
        """
        await self._desk.check_free()
        if confirm != f"slot {slot}":
            text = f"slot {slot[:8]} is started next, and what only the present version can read is put aside"
            raise Conflict("confirmation-needed", text, f"confirm with {f'slot {slot[:8]}'!r}", "confirm")
        await self._desk.privileged.call(verbs.Back(slot))
        await self._desk.note(by, "update.back", f"chose slot {slot} to be started next", slot)

    # -- tasks, and what goes on by itself

    async def _open(self, kind: str, title: str, arguments: dict[str, Any], by: Asker) -> Task:
        def job(db: sqlite3.Connection, tell: Tell) -> Task:
            check_no_task(db)
            now = self._desk.clock()
            task = open_job(db, tell, kind, title, by, now, arguments)
            audit.note(db, by, kind, ("update", "update", title), None, arguments, now=now)
            return task

        return await record(self._desk.store, self._desk.bus, job)

    def jobs(self) -> dict[str, JobKind]:
        """The kinds of jobs that are done here; only a download may begin anew after the daemon ended in its middle."""
        return {
            UPDATE_DOWNLOAD: JobKind(self._download, resumes=True, waits=True),
            UPDATE_INSTALL: JobKind(self._install, resumes=False, waits=True),
        }

    async def _install(self, running: Running) -> dict[str, Any]:
        return await Installation(self._desk, self._state_dir, running).run()

    async def _download(self, running: Running) -> dict[str, Any]:
        from appliance.reconcile.fetching import fetching

        async with (
            self._desk.alone("an update is being fetched", waits=True),
            fetching(str(running.task.arguments["url"])) as (chunks, size),
        ):
            found = await self._received(_counted(chunks, size, running), size)
        await running.say(f"version {found.bundle.version}, {found.size} bytes, signed as it should be")
        return {"version": found.bundle.version, "size": found.size}

    async def run(self) -> None:
        """Clear up after a daemon that was killed, then tell what becomes of updates. Runs until cancelled."""
        await self.news.attempt("what is left of updates", self._sweep)
        await self.news.run()

    async def _sweep(self) -> None:
        if not self._desk.busy:  # a download that begins anew clears up itself
            async with self._desk.alone():
                await asyncio.to_thread(self._incoming.sweep)

    async def _outlived(self) -> str:
        if self._desk.busy or not self._incoming.half_there():
            return ""
        return await self.uploads.outlived()


async def _counted(chunks: AsyncIterator[bytes], size: int, running: Running) -> AsyncIterator[bytes]:
    done = 0
    async for chunk in chunks:
        done += len(chunk)
        await running.progress(done / size if size else 0.0, f"{done / 1e6:.0f} MB fetched")
        yield chunk
