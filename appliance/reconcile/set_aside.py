"""Subnets that do not fit the networks: told of, and served again as soon as they fit.

For that the daemon begins anew, as it reads addresses once; that takes a second and no machine notices.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from appliance.events import Bus, Event
from appliance.networking.served import Aside
from appliance.reconcile.record import announce
from appliance.reconcile.surviving import Surviving
from appliance.store.store import Store

log = logging.getLogger(__name__)

KIND = "network.aside"
LOOK_SECONDS = 5.0
"""Between two looks, while there is anything to wait for."""


class SetAside:
    """``run`` waits for as long as the daemon lives."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Callable[[], float],
        aside: Sequence[Aside],
        look: Callable[[], Sequence[Aside]],
        again: Callable[[], None],
    ) -> None:
        """``aside`` is how it was at the start, ``look`` says how it is now; ``again`` has the daemon begin anew."""
        self._store, self._bus, self._clock = store, bus, clock
        self._look, self._again = look, again
        self.aside = tuple(aside)
        """With the reasons as they were at the last look."""

    async def run(self) -> None:
        """Until cancelled."""
        for each in self.aside:
            log.warning("the subnet %s is set aside: %s", each.subnet, each.text)
            await self._tell(f"the subnet {each.subnet} is not served: {each.why}", each.hint)
        while self.aside:
            await asyncio.sleep(LOOK_SECONDS)
            with Surviving(log, "whether subnets fit again is not known"):
                await self.step()
        await asyncio.Event().wait()

    async def step(self) -> None:
        """One look. Raises ApplianceError."""
        found = {each.subnet: each for each in await asyncio.to_thread(self._look)}
        back = [each.subnet for each in self.aside if each.subnet not in found]
        self.aside = tuple(found[each.subnet] for each in self.aside if each.subnet in found)
        for subnet in back:
            log.info("the subnet %s fits again, and is served", subnet)
            await self._tell(f"the subnet {subnet} fits the networks, and is served from now on", "")
        if back:
            self._again()

    async def _tell(self, text: str, reason: str) -> None:
        await announce(self._store, self._bus, Event(KIND, self._clock(), text, reason))
