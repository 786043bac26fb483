"""Whose turn it is with a pool: its changes come one after the other, and nobody waits for a copy beside them.

To fill a volume that nobody uses yet may take hours, and changes nothing that others rely on. So whoever fills one
stands aside meanwhile; what is done to the pool as a whole, which may take its volumes away for so long, waits until
all are filled.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from appliance.storage.driver import Aside
from appliance.volume import VolumeId


class Turns:
    """Of one pool."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._filled: set[VolumeId] = set()
        self._whole = asyncio.Event()
        self._whole.set()
        self._asking = 0
        """How many wait for the pool as a whole: nobody stands aside then, or they would wait for ever."""

    @property
    def filled(self) -> frozenset[VolumeId]:
        """The volumes that are being filled beside the changes."""
        return frozenset(self._filled)

    @property
    def taken(self) -> bool:
        """Whether somebody has it."""
        return self._lock.locked()

    @asynccontextmanager
    async def change(self) -> AsyncIterator[Aside]:
        """One change; what it is given is for the time in which it only fills a volume."""
        turn = _Turn(self._lock)
        await turn.begin()
        try:
            yield lambda volume: self._aside(turn, volume)
        finally:
            turn.end()

    @asynccontextmanager
    async def whole(self) -> AsyncIterator[None]:
        """Nobody changes it, and nothing in it is being filled."""
        turn = _Turn(self._lock)
        self._asking += 1
        try:
            while not turn.has:
                await self._whole.wait()
                await turn.begin()
                if not self._whole.is_set():
                    turn.end()
        finally:
            self._asking -= 1
        try:
            yield
        finally:
            turn.end()

    @asynccontextmanager
    async def _aside(self, turn: "_Turn", volume: VolumeId) -> AsyncIterator[None]:
        """Where the filling fails, or is cancelled, the turn has ended with it."""
        if self._asking:
            yield
            return
        self._filled.add(volume)
        self._whole.clear()
        turn.end()
        try:
            yield
        finally:
            self._filled.discard(volume)
            if not self._filled:
                self._whole.set()
        await turn.begin()


class _Turn:
    """Whether one of those who take turns has it now."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock
        self.has = False

    async def begin(self) -> None:
        await self._lock.acquire()
        self.has = True

    def end(self) -> None:
        if self.has:
            self.has = False
            self._lock.release()
