"""What keeps the store small: run once an hour."""

import asyncio
import logging

from appliance.errors import ApplianceError
from appliance.store import events
from appliance.store.store import Store

log = logging.getLogger(__name__)

HOUR = 3600.0


class Upkeep:
    """Forgets what nobody needs any more."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._store.write(events.prune)
            except ApplianceError as error:
                log.warning("old events stay: %s", error.message)  # the next hour may have a better disk
            await asyncio.sleep(HOUR)
