"""What became of updates, told once: found out by the privileged helper and at starts, beside the daemon."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.events import Event
from appliance.reconcile.record import Tell, record
from appliance.reconcile.update_desk import Desk
from appliance.store import accounts
from appliance.store.copies import put_aside
from appliance.updates.copies import lost_in_words
from appliance.updates.news import news
from appliance.updates.record import parse

log = logging.getLogger(__name__)

LOOK_EVERY = 30.0
"""Seconds between two looks for news: a verdict comes some minutes after a start."""
RECORD = Path("/state/updates/record.json")
"""Written as root at each start and with each update; read here, since to ask the helper would keep it running."""
_TOLD, _ASIDE_TOLD = "update_told", "store_aside_told"
"""Keys of settings: what was told already."""


class UpdateNews:
    """Looks for them, and for uploads that nobody goes on with."""

    def __init__(
        self, desk: Desk, state_dir: Path, outlived: Callable[[], Awaitable[str]], record_path: Path = RECORD
    ) -> None:
        """``outlived`` removes a half upload that is too old, and says so; empty: nothing."""
        self._desk, self._state_dir, self._record_path = desk, state_dir, record_path
        self._outlived = outlived
        self._said: dict[str, str] = {}

    async def run(self) -> None:
        """Runs until cancelled."""
        await self.attempt("the state that was put aside", self.tell_aside)
        while True:
            await self.attempt("old uploads of updates", self._end_half)
            await self.attempt("news of updates", self._tell_news, logging.DEBUG)
            await asyncio.sleep(LOOK_EVERY)

    async def attempt(self, what: str, look: Callable[[], Awaitable[None]], level: int = logging.WARNING) -> None:
        """What fails is tried again, and keeps nothing else from being told; the same trouble is logged once."""
        try:
            await look()
        except (ApplianceError, OSError) as error:
            if self._said.get(what) != str(error):
                log.log(level, "%s could not be looked at: %s", what, error)
            self._said[what] = str(error)
        else:
            self._said.pop(what, None)

    async def _end_half(self) -> None:
        if text := await self._outlived():
            log.warning("%s", text)
            await self._desk.tell(text, "nobody went on with it")

    async def _tell_news(self) -> None:
        found = parse(await asyncio.to_thread(self._record_path.read_bytes))
        if (fresh := news(found)) is not None:
            await self._once(_TOLD, fresh.key, fresh.text, fresh.reason)

    async def tell_aside(self) -> None:
        """Once for each store that was put aside: what is in it alone is what users have to do again."""
        aside = await asyncio.to_thread(put_aside, self._state_dir)
        if not aside:
            return
        newest, path = list(aside.items())[-1]
        until = (await asyncio.to_thread(path.stat)).st_mtime
        text = (
            f"the state is that of before the update: what was changed in the {lost_in_words(newest.since, until)}"
            f" after it is not in it; it is kept in {path}"
        )
        await self._once(_ASIDE_TOLD, path.name, text, "the new version was given up")

    async def _once(self, setting: str, key: str, text: str, reason: str) -> None:
        """Tell it, unless ``key`` is what was told last."""
        if await self._desk.store.read(lambda db: accounts.setting(db, setting)) == key:
            return
        log.warning("%s", text)
        now = self._desk.clock()

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            accounts.put_setting(db, setting, key)
            tell(Event("update.changed", now, text, reason))

        await record(self._desk.store, self._desk.bus, job)
