"""Says when the disk that holds the state takes no writes.

Nothing of that can be stored meanwhile: it is published, logged and shown. That it was so is stored once it is over.
"""

import asyncio
import logging
from collections.abc import Callable

from appliance.events import Bus, Event
from appliance.reconcile.record import record
from appliance.reconcile.surviving import Surviving
from appliance.store.store import PATIENCE, Store

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
STUCK_SECONDS = 5.0
"""A write on its way for so long is no busy disk any more: the slowest take a second."""
AGAIN_SECONDS = 60.0
"""Between two lines of the log about it."""
MEANWHILE = "who has an address keeps it, nobody gets a new one, and nothing can be changed; DNS, TFTP and HTTP go on"
HINT = "look at the disk and its cables: `dmesg` tells more"


class StuckDisk:
    """Looks how long the oldest write waits; ``run`` does it for as long as the daemon lives."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float]) -> None:
        self._store, self._bus, self._clock = store, bus, clock
        self._since: float | None = None
        self._log_at = 0.0

    def notice(self) -> str:
        """What to tell everybody; empty while the disk answers."""
        if self._since is None:
            return ""
        return f"the disk that holds the state has not answered for {self._clock() - self._since:.0f} s: {MEANWHILE}"

    async def run(self) -> None:
        """Until cancelled."""
        PATIENCE.set(STUCK_SECONDS)
        while True:
            if ended := self.look():
                await self._store_event(ended)
            await asyncio.sleep(LOOK_SECONDS)

    async def _store_event(self, event: Event) -> None:
        with Surviving(log, "that the disk was stuck is in no timeline"):
            await record(self._store, self._bus, lambda _, tell: tell(event))

    def look(self) -> Event | None:
        """Tell what has changed since the last time; the event to be stored where the disk answers again."""
        now, waits = self._clock(), self._store.stuck_for()
        if waits >= STUCK_SECONDS:
            self._complain(now, now - waits)
            return None
        since, self._since = self._since, None
        if since is None:
            return None
        text = f"the disk that holds the state answers again; it did not for {now - since:.0f} s"
        log.warning("%s", text)
        return Event("daemon.trouble", now, text, HINT)

    def _complain(self, now: float, since: float) -> None:
        if self._since is None:
            self._since, self._log_at = since, now
            self._bus.publish(Event("daemon.trouble", now, self.notice(), HINT))
        if now >= self._log_at:
            self._log_at = now + AGAIN_SECONDS
            log.error("%s (%s)", self.notice(), HINT)
