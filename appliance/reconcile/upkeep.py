"""What keeps the store small: run once an hour."""

import asyncio

from appliance.store import events
from appliance.store.store import Store

HOUR = 3600.0


class Upkeep:
    """Forgets what nobody needs any more."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._store.write(events.prune)
            await asyncio.sleep(HOUR)
