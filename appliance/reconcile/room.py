"""Looks how full the file system of the state is, says so in time, and gives up a reserve when it is full.

Leases are written there, and none is given that is not on disk: whoever fills it would keep new machines from booting.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Protocol

from appliance.events import Bus, Event
from appliance.reconcile.record import announce
from appliance.reconcile.surviving import Surviving
from appliance.store.store import Store

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
FILLING, SHORT = 0.80, 0.90
"""Shares of the file system that are told of; the second is shown on every page."""
SLACK = 0.02
"""By how much less of it must be used before that is taken back: it would be told of again and again otherwise."""
HINT = "delete images that nobody deploys, and old states beside the new one; /settings/health lists what is there"
MEANWHILE = "who has an address keeps it, new machines and changes may be refused; DNS, TFTP and HTTP go on"


class Level(IntEnum):
    """How full it is, in rising order."""

    FINE, FILLING, SHORT, FULL, SPENT = range(5)
    """FULL: the reserve was given up. SPENT: that is used up, too."""


@dataclass(frozen=True, slots=True)
class Space:
    """A file system, in bytes."""

    total: int
    """What can be used of it, by us and by others."""
    available: int
    """What is left for us."""

    @property
    def used(self) -> float:
        """The share that is used, as df(1) shows it."""
        return 1.0 - self.available / self.total if self.total else 1.0


class Kept(Protocol):
    """The reserve, see ``appliance.reserve``."""

    size: int

    @property
    def held(self) -> bool:
        """Whether the room is kept."""

    def take(self) -> bool:
        """Keep it; False where there is not enough room."""

    def give_up(self) -> None:
        """Let it go."""


def space(path: Path) -> Space:
    """Of the file system that the path is on; raises OSError."""
    found = os.statvfs(path)
    used = (found.f_blocks - found.f_bfree) * found.f_frsize
    available = found.f_bavail * found.f_frsize
    return Space(used + available, available)


def level_of(now: Space, reserve: int, held: bool, before: Level) -> Level:
    """How full it is; ``reserve`` in bytes. Once given up, it has to fit in twice before all is well again."""
    if now.available < reserve // 2:
        return Level.SPENT
    if not held and now.available < 2 * reserve:
        return Level.FULL
    for level, share in ((Level.SHORT, SHORT), (Level.FILLING, FILLING)):
        if now.used >= share - (SLACK if before >= level else 0.0):
            return level
    return Level.FINE


def words(level: Level, now: Space) -> str:
    """What to tell of it; empty where there is nothing to tell."""
    left = size_words(now.available)
    match level:
        case Level.FINE:
            return ""
        case Level.FULL:
            return f"the disk that holds the state is full: {left} of a reserve are left, then new machines are refused"
        case Level.SPENT:
            return f"the disk that holds the state is full, and the reserve is used up: {MEANWHILE}"
    return f"the disk that holds the state is {now.used:.0%} full: {left} are left"


def news(before: Level, level: Level, now: Space, seconds: float) -> str:
    """What has changed, where that is worth an event; ``seconds`` is how long it was full."""
    if level > before:
        return words(level, now)
    left = f"{size_words(now.available)} are free"
    if before >= Level.FULL > level:
        return f"the disk that holds the state has room again, {left}; it was full for {seconds:.0f} s"
    if level is Level.FINE and before > level:
        return f"the disk that holds the state has room again, {left}"
    return ""


def size_words(size: int) -> str:
    """Bytes in decimal units, as disks are sold."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


class Room:
    """``run`` looks for as long as the daemon lives."""

    def __init__(
        self, store: Store, bus: Bus, clock: Callable[[], float], reserve: Kept, look: Callable[[], Space]
    ) -> None:
        """``look`` says how much room there is; it may raise OSError."""
        self._store, self._bus, self._clock = store, bus, clock
        self._reserve, self._look = reserve, look
        self._since = 0.0
        self.level = Level.FINE
        self.space: Space | None = None
        """As it was last seen; None before the first look."""

    def notice(self) -> str:
        """What to show on every page; empty while there is room."""
        return words(self.level, self.space) if self.space and self.level >= Level.SHORT else ""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with Surviving(log, "how full the disk of the state is could not be told"):
                await self.round()
            await asyncio.sleep(LOOK_SECONDS)

    async def round(self) -> None:
        """Look once, and tell what is new; raises OSError where the file system cannot be asked."""
        seen = await asyncio.to_thread(self._settled)
        before, now = self.level, self._clock()
        self.level, self.space = level_of(seen, self._reserve.size, self._reserve.held, before), seen
        if self.level >= Level.FULL > before:
            self._since = now
        if self.level < Level.FULL and not self._reserve.held:
            await asyncio.to_thread(self._reserve.take)
        if text := news(before, self.level, seen, now - self._since):
            log.warning("%s", text)
            hint = HINT if self.level > before else ""
            await announce(self._store, self._bus, Event("state.room", now, text, hint, detail=self._detail()))

    def _settled(self) -> Space:
        """The room there is, once the reserve was given up where it had to be."""
        seen = self._look()
        if seen.available >= self._reserve.size // 2 or not self._reserve.held:
            return seen
        self._reserve.give_up()
        return self._look()

    def _detail(self) -> dict[str, object]:
        assert self.space is not None, "it was just looked at"
        return {"level": self.level.name.lower(), "available": self.space.available, "total": self.space.total}
