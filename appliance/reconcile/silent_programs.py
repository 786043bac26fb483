"""Looks for firmware that fetched its boot program and stands still, for as long as the daemon lives."""

import asyncio
import logging

from appliance.reconcile.boot_programs import BootPrograms
from appliance.reconcile.surviving import Surviving

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0


class SilentPrograms:
    """Nobody calls when firmware waits at its own menu: this looks at the clock."""

    def __init__(self, programs: BootPrograms) -> None:
        self._programs = programs

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with Surviving(log, "which boot programs did not start is not looked at"):
                self._programs.look()
