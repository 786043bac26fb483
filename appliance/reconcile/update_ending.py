"""What becomes of an update that is cancelled while it is written: the privileged helper ends it for certain."""

import asyncio
import logging

from appliance.errors import ApplianceError
from appliance.events import Bus, Event, Published
from appliance.privileged.client import Privileged
from appliance.privileged.verbs.update import Stop
from appliance.reconcile.jobs import JobCancelled, Running

log = logging.getLogger(__name__)

ASK_EVERY = 1.0
"""Seconds between two tries to end what is looked at still, and not written yet."""
LOOK_EVERY = 10.0
"""Seconds between two looks at the task at most: a lost event costs time only."""


class Ending:
    """Waits for one installation to be cancelled, and then ends it."""

    def __init__(self, bus: Bus, privileged: Privileged) -> None:
        self._bus, self._privileged = bus, privileged
        self.cancelled = False
        """Somebody wants it to end."""
        self.done = False
        """Its end was brought about; else it came to another one by itself."""
        self._asking = self._over = False

    def over(self) -> bool:
        """To be told that the installation is over; whether nobody is at ending it, who would be waited for."""
        self._over = True
        return not self._asking

    async def when_cancelled(self, running: Running) -> None:
        """End the installation as soon as its task is cancelled."""
        await self._cancelled(running)
        self.cancelled = True
        while await self._is_too_early(running) and not self._over:  # noqa: ASYNC110 - only the helper knows, if asked
            await asyncio.sleep(ASK_EVERY)

    async def _is_too_early(self, running: Running) -> bool:
        """Have it ended; whether nothing is written yet that could be."""
        self._asking = True
        try:
            await self._privileged.call(Stop())
        except ApplianceError as error:
            if error.code == "update-idle":
                return True
            log.warning("an update was cancelled, and goes on: %s", error.message)
            await _said(running, f"it cannot be ended: {error.message}")
        else:
            self.done = True
        finally:
            self._asking = False
        return False

    async def _cancelled(self, running: Running) -> None:
        with self._bus.subscribe(16) as heard:
            while True:
                try:
                    await running.check()
                except JobCancelled:
                    return
                except ApplianceError as error:  # the store is asked again: what is written goes on meanwhile
                    log.warning("whether the update is cancelled is not known: %s", error.message)
                await heard.woken(_of_tasks, LOOK_EVERY)


async def _said(running: Running, text: str) -> None:
    try:
        await running.say(text)
    except ApplianceError as error:
        log.warning("%s, which could not be noted: %s", text, error.message)


def _of_tasks(item: Published) -> bool:
    return isinstance(item, Event) and item.kind == "task.changed"
