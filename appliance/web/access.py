"""News of who may do what, for connections that stay open."""

import asyncio
from contextlib import suppress


class Access:
    """Wakes whoever has let somebody in for longer than one request, to look again at what they may do."""

    def __init__(self) -> None:
        self.changes = 0
        """How many there were."""
        self._news = asyncio.Event()

    def changed(self) -> None:
        """Somebody may do more, less, or nothing from now on."""
        self.changes += 1
        self._news.set()  # wakes all who wait now
        self._news.clear()

    async def news(self, known: int, seconds: float) -> None:
        """Wait for a change after the ``known`` ones, ``seconds`` at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.changes == known:
                    await self._news.wait()
