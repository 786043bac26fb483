"""What every part of updates needs: whether something may be brought now, who is at it, what it is, who did what."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from appliance.accounts import Asker
from appliance.errors import Conflict
from appliance.events import Bus, Event
from appliance.privileged.client import Privileged
from appliance.privileged.verbs import update as verbs
from appliance.reconcile import audit
from appliance.reconcile.record import Tell, record
from appliance.store import tasks
from appliance.store.store import Store
from appliance.task import UPDATE_DOWNLOAD, UPDATE_INSTALL, Task
from appliance.updates.bundle import Bundle


class Desk:
    """One for the whole daemon: two would not know of each other who is at it."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], privileged: Privileged) -> None:
        self.store, self.bus, self.clock, self.privileged = store, bus, clock, privileged
        self._one = asyncio.Lock()
        self._doing = ""

    @asynccontextmanager
    async def alone(self, doing: str = "", *, waits: bool = False) -> AsyncIterator[None]:
        """Nobody else brings, looks at or removes an update meanwhile.

        ``doing`` says of what takes long what it is: others raise Conflict ``upload-checked`` then, but for those who
        wait however long it takes.
        """
        if self._doing and not waits:
            raise Conflict("upload-checked", self._doing, "wait until that is done")
        async with self._one:
            self._doing = doing
            try:
                yield
            finally:
                self._doing = ""

    @property
    def busy(self) -> bool:
        """Whether somebody is at what takes long."""
        return bool(self._doing)

    def require_appliance(self) -> None:
        """Raise Conflict ``helper-missing`` on other computers."""
        if not self.privileged.here:
            text = "this computer is no flashed appliance: its packages are updated by its administrator"
            raise Conflict("helper-missing", text, "update it as it was installed")

    async def check_free(self) -> None:
        """Raise Conflict where nothing can be brought or changed now: ``update-busy``, ``helper-missing``."""
        self.require_appliance()
        await self.store.read(check_no_task)

    async def inspect(self) -> Bundle:
        """What was brought, once its signature is found good; raises Invalid."""
        return await self.privileged.call(verbs.Inspect())

    async def note(self, by: Asker, action: str, text: str, name: str) -> None:
        """Write down who did what."""
        now = self.clock()

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            audit.note(db, by, action, ("update", "update", name), now=now)
            tell(Event("update.changed", now, f"{by} {text}"))

        await record(self.store, self.bus, job)

    async def tell(self, text: str, detail: str = "") -> None:
        """Write down what nobody did."""
        event = Event("update.changed", self.clock(), text, detail)
        await record(self.store, self.bus, lambda _, tell: tell(event))


def open_task(db: sqlite3.Connection) -> Task | None:
    """The one that brings or installs an update at the moment."""
    found = (task for task in tasks.open_jobs(db) if task.kind in (UPDATE_INSTALL, UPDATE_DOWNLOAD))
    return next(found, None)


def check_no_task(db: sqlite3.Connection) -> None:
    """Raise Conflict ``update-busy`` while an update is fetched or installed."""
    if (task := open_task(db)) is not None:
        raise Conflict("update-busy", f"{task.title} goes on (task {task.id})", "wait until that is done")
