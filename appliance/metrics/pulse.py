"""How late the event loop is: what anybody who waits for it has to wait on top."""

import asyncio

from appliance.metrics.histogram import QUICK, Histogram

EVERY = 0.5
"""Seconds between two looks."""


class Pulse:
    """Measures by sleeping."""

    def __init__(self) -> None:
        self.lag = Histogram(QUICK)
        self._worst = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY
            await asyncio.sleep(EVERY)
            self.late(max(0.0, loop.time() - due))

    def late(self, seconds: float) -> None:
        """Note that the loop was late by so much."""
        self.lag.observe(seconds)
        self._worst = max(self._worst, seconds)

    def worst(self) -> float:
        """The longest delay in seconds since this was asked last."""
        worst, self._worst = self._worst, 0.0
        return worst
