"""Updates of the appliance as users ask for them: bring one, install it, restart into it, go back; and what came of it.

What is done needs root and is the privileged helper's; here are wishes, the tasks that users watch, and the news.
"""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance import __version__
from appliance.accounts import Asker
from appliance.errors import ApplianceError, Conflict
from appliance.events import Bus, Event
from appliance.privileged.client import Privileged
from appliance.privileged.verbs import power as power_verbs
from appliance.privileged.verbs import update as verbs
from appliance.reconcile import audit
from appliance.reconcile.incoming_update import IncomingUpdate, Waiting
from appliance.reconcile.jobs import JobKind, Running, open_job
from appliance.reconcile.record import Tell, record
from appliance.store import accounts, tasks
from appliance.store.copies import put_aside
from appliance.store.store import Store
from appliance.task import Task
from appliance.updates.bundle import older
from appliance.updates.copies import lost_in_words
from appliance.updates.news import news
from appliance.updates.record import Record, parse
from appliance.updates.slots import Slot
from appliance.updates.source import check_url

log = logging.getLogger(__name__)

INSTALL, DOWNLOAD = "update.install", "update.download"
LOOK_EVERY = 30.0
"""Seconds between two looks for news: a verdict comes some minutes after a start."""
RECORD = Path("/state/updates/record.json")
"""Written as root at each start and with each update; read here, since to ask the helper would keep it running."""
_TOLD, _ASIDE_TOLD = "update_told", "store_aside_told"
"""Keys of settings: what was told already."""


@dataclass(frozen=True, slots=True)
class Standing:
    """All that there is to show."""

    here: bool
    """Whether this computer is a flashed appliance; nothing else holds where it is not."""
    slots: tuple[Slot, ...] = ()
    record: Record = field(default_factory=Record)
    installing: bool = False
    waiting: Waiting | None = None
    task: Task | None = None
    """The one that brings or installs an update at the moment."""
    trouble: str = ""
    """Why slots are not known."""

    @property
    def restart(self) -> bool:
        """Whether a restart starts another slot than the one that runs."""
        return any(slot.first and not slot.booted for slot in self.slots)

    @property
    def older(self) -> bool:
        """Whether what waits is older than what runs."""
        return self.waiting is not None and older(self.waiting.bundle.version, __version__)


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
        self._store, self._bus, self._clock = store, bus, clock
        self._state_dir, self._privileged, self._record_path = state_dir, privileged, record_path
        self._incoming = IncomingUpdate(state_dir)
        self._receiving = asyncio.Lock()

    async def standing(self) -> Standing:
        """What there is."""
        if not self._privileged.here:
            return Standing(here=False)
        waiting = await asyncio.to_thread(self._incoming.waiting)
        task = await self._store.read(_open_task)
        try:
            found = await self._privileged.call(verbs.Slots())
        except ApplianceError as error:
            return Standing(True, waiting=waiting, task=task, trouble=error.message)
        return Standing(True, tuple(found.slots), found.record, found.installing, waiting, task)

    async def receive(self, chunks: AsyncIterator[bytes], expected: int, by: Asker) -> Waiting:
        """Store an upload, look at its signature, and keep it where that is good; ``expected`` bytes, if known.

        Raises Conflict ``update-busy``, Invalid with what is wrong with it, ApplianceError ``upload-failed``.
        """
        self._require_appliance()
        if self._receiving.locked():
            raise _busy("an update is being uploaded")
        async with self._receiving:
            await self._store.read(_check_free)
            found = await self._received(chunks, expected)
        await self._note(by, "update.bring", f"brought update {found.bundle.version}", found.bundle.version)
        return found

    async def _received(self, chunks: AsyncIterator[bytes], expected: int) -> Waiting:
        size = await self._incoming.receive(chunks, expected)
        try:
            bundle = await self._privileged.call(verbs.Inspect())
        except BaseException:
            await asyncio.to_thread(self._incoming.discard)
            raise
        return await asyncio.to_thread(self._incoming.known, bundle, size, self._clock())

    async def discard(self, by: Asker) -> None:
        """Remove what was brought; nothing there is no error."""
        self._require_appliance()
        await self._store.read(_check_free)
        await asyncio.to_thread(self._incoming.discard)
        await self._note(by, "update.discard", "removed the update that was brought", "update")

    async def download(self, url: str, by: Asker) -> Task:
        """Fetch an update; the task that does it. Raises Invalid ``url-invalid``, ``url-refused``."""
        self._require_appliance()
        return await self._open(DOWNLOAD, "Fetch an update", {"url": check_url(url)}, by)

    async def install(self, version: str, confirm: str | None, by: Asker) -> Task:
        """Write what was brought to the slot that does not run; the task that does it.

        Raises Conflict ``bundle-missing``, ``bundle-changed``, ``confirmation-needed`` for an older version.
        """
        self._require_appliance()
        waiting = await asyncio.to_thread(self._incoming.waiting)
        if waiting is None:
            raise Conflict("bundle-missing", "there is no update to install", "bring one first")
        if waiting.bundle.version != version:
            text = f"the update is version {waiting.bundle.version} now"
            raise Conflict("bundle-changed", text, "look at it again", "version")
        if older(version, __version__) and confirm != version:
            text = f"version {version} is older than the one that runs, and may not read its state"
            raise Conflict("confirmation-needed", text, f"confirm with {version!r}", "confirm")
        return await self._open(INSTALL, f"Install update {version}", {"version": version}, by)

    async def _open(self, kind: str, title: str, arguments: dict[str, Any], by: Asker) -> Task:
        def job(db: sqlite3.Connection, tell: Tell) -> Task:
            _check_free(db)
            now = self._clock()
            task = open_job(db, tell, kind, title, by, now, arguments)
            audit.note(db, by, kind, ("update", "update", title), None, arguments, now=now)
            return task

        return await record(self._store, self._bus, job)

    async def restart(self, by: Asker) -> None:
        """Restart the appliance, into the slot that is first."""
        self._require_appliance()
        await self._store.read(_check_free)
        await self._note(by, "update.restart", "restarts the appliance", "update")
        await self._privileged.call(power_verbs.Reboot())

    async def go_back(self, slot: str, confirm: str | None, by: Asker) -> None:
        """Have the other slot started next, without what was stored since it ran where it cannot read that.

        Raises Conflict ``confirmation-needed``, ``slot-changed``, ``slot-empty``, ``update-busy``.
        """
        self._require_appliance()
        await self._store.read(_check_free)
        if confirm != f"slot {slot}":
            text = f"slot {slot[:8]} is started next, and what only the present version can read is put aside"
            raise Conflict("confirmation-needed", text, f"confirm with {f'slot {slot[:8]}'!r}", "confirm")
        await self._privileged.call(verbs.Back(slot))
        await self._note(by, "update.back", f"chose slot {slot} to be started next", slot)

    def _require_appliance(self) -> None:
        if not self._privileged.here:
            text = "this computer is no flashed appliance: its packages are updated by its administrator"
            raise Conflict("helper-missing", text, "update it as it was installed")

    async def _note(self, by: Asker, action: str, text: str, name: str) -> None:
        now = self._clock()

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            audit.note(db, by, action, ("update", "update", name), now=now)
            tell(Event("update.changed", now, f"{by} {text}"))

        await record(self._store, self._bus, job)

    # -- tasks

    def jobs(self) -> dict[str, JobKind]:
        """The kinds of jobs that are done here; both may begin anew after the daemon ended in the middle of one."""
        return {
            DOWNLOAD: JobKind(self._download, resumes=True, waits=True),
            INSTALL: JobKind(self._install, resumes=False, waits=True),
        }

    async def _download(self, running: Running) -> dict[str, Any]:
        from appliance.reconcile.fetch_update import fetching

        async with fetching(str(running.task.arguments["url"])) as (chunks, size):
            found = await self._received(_counted(chunks, size, running), size)
        await running.say(f"version {found.bundle.version}, {found.size} bytes, signed as it should be")
        return {"version": found.bundle.version, "size": found.size}

    async def _install(self, running: Running) -> dict[str, Any]:
        heard: asyncio.Queue[tuple[float | None, str]] = asyncio.Queue()
        version = str(running.task.arguments["version"])

        async def follow() -> None:
            while True:
                share, text = await heard.get()
                await running.progress(share or 0.0, text)

        def hears(share: float | None, text: str) -> None:
            heard.put_nowait((share, text))

        async with asyncio.TaskGroup() as group:
            following = group.create_task(_told(follow), name="progress of an update")
            try:
                await self._privileged.call(verbs.Install(version), hears)
            except ApplianceError as error:
                failure: ApplianceError | None = error
            else:
                failure = None
            following.cancel()
        if failure is not None:
            raise failure
        await asyncio.to_thread(self._incoming.discard)
        await running.say("it starts with the next restart of the appliance")
        return {"version": version}

    # -- news

    async def run(self) -> None:
        """Tell what became of updates, which is found out by others before and beside us. Runs until cancelled."""
        await self._tell_aside()
        while True:
            try:
                await self._tell_news()
            except (ApplianceError, OSError) as error:
                log.debug("no news of updates: %s", error)
            await asyncio.sleep(LOOK_EVERY)

    async def _tell_news(self) -> None:
        found = parse(await asyncio.to_thread(self._record_path.read_bytes))
        told = await self._store.read(lambda db: accounts.setting(db, _TOLD))
        if (fresh := news(found)) is None or fresh.key == told:
            return
        log.warning("%s", fresh.text)

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            accounts.put_setting(db, _TOLD, fresh.key)
            tell(Event("update.changed", self._clock(), fresh.text, fresh.reason))

        await record(self._store, self._bus, job)

    async def _tell_aside(self) -> None:
        """Once for each store that was put aside: what is in it alone is what users have to do again."""
        aside = await asyncio.to_thread(put_aside, self._state_dir)
        if not aside:
            return
        newest, path = list(aside.items())[-1]
        told = await self._store.read(lambda db: accounts.setting(db, _ASIDE_TOLD))
        if told == path.name:
            return
        until = (await asyncio.to_thread(path.stat)).st_mtime
        text = (
            f"the state is that of before the update: what was changed in the {lost_in_words(newest.since, until)}"
            f" after it is not in it; it is kept in {path}"
        )
        log.warning("%s", text)

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            accounts.put_setting(db, _ASIDE_TOLD, path.name)
            tell(Event("update.changed", self._clock(), text, "the new version was given up"))

        await record(self._store, self._bus, job)


def _busy(text: str) -> Conflict:
    return Conflict("update-busy", text, "wait until that is done")


def _open_task(db: sqlite3.Connection) -> Task | None:
    found = (task for task in tasks.open_jobs(db) if task.kind in (INSTALL, DOWNLOAD))
    return next(found, None)


def _check_free(db: sqlite3.Connection) -> None:
    """Raise Conflict ``update-busy`` while an update is fetched or installed."""
    if (task := _open_task(db)) is not None:
        raise _busy(f"{task.title} goes on (task {task.id})")


async def _told(follow: Callable[[], Any]) -> None:
    """How far it is, is told where that can be: a slot that is half written is not left for a cancelled task."""
    from appliance.reconcile.jobs import JobCancelled

    try:
        await follow()
    except (ApplianceError, JobCancelled):
        log.debug("the progress of the update is not told any more")


async def _counted(chunks: AsyncIterator[bytes], size: int, running: Running) -> AsyncIterator[bytes]:
    done = 0
    async for chunk in chunks:
        done += len(chunk)
        await running.progress(done / size if size else 0.0, f"{done / 1e6:.0f} MB fetched")
        yield chunk
