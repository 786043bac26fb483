"""Has the console's own certificate follow the addresses that the console is reached by, such as those of DHCP.

The kernel rings where an address comes or goes (rtnetlink(7)), and our own networks do where one is for something else
now; what there is then is asked.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Collection, Sequence

from appliance.events import Bus, Event
from appliance.network import held
from appliance.networking.layout import Layout
from appliance.networking.reached import Held, reached_by, told
from appliance.privileged.client import Privileged
from appliance.privileged.verbs.network import Status
from appliance.reconcile.record import announce
from appliance.reconcile.surviving import Surviving
from appliance.store.store import Store

log = logging.getLogger(__name__)

SETTLE_SECONDS = 2.0
"""From the first news to a look: addresses come in flocks."""
REST_SECONDS = 10.0
"""Between two certificates at least, and until it is tried again after trouble."""
_ADDRESS_GROUPS = 0x10 | 0x100
"""RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR."""


class OwnAddresses:
    """``run`` follows for as long as the daemon lives."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Callable[[], float],
        privileged: Privileged,
        families: Collection[int],
        use: Callable[[Sequence[str]], None],
        look: Callable[[], list[Held]] = held,
    ) -> None:
        """``use`` takes the addresses that the certificate is to be for, of these ``families``."""
        self._store, self._bus, self._clock, self._privileged = store, bus, clock, privileged
        self._families, self._use, self._look = families, use, look
        self._seen: list[Held] | None = None
        self._known: tuple[str, ...] | None = None
        self._changes, self._followed = 0, 0
        """How often the networks were for something else, and how many of these changes the certificate has."""
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """What the networks are for has changed, or may have: no address need come or go for that."""
        self._changes += 1
        self._rung.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with Surviving(log, "the certificate does not follow the addresses"), _open_bell() as bell:
                await self._follow(bell)
            await asyncio.sleep(REST_SECONDS)

    async def _follow(self, bell: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(bell, self._hear, bell)
        try:
            while True:
                await asyncio.sleep(SETTLE_SECONDS if self._known is not None else 0)
                self._rung.clear()
                if await self.step():
                    await asyncio.sleep(REST_SECONDS)
                await self._rung.wait()
        finally:
            loop.remove_reader(bell)

    def _hear(self, bell: socket.socket) -> None:
        """What it says does not matter; neither does what was lost of it (ENOBUFS)."""
        self._rung.set()
        try:
            while bell.recv(65536):
                continue
        except OSError:
            return

    async def step(self) -> bool:
        """One look; whether there is another certificate. Raises ApplianceError."""
        changes, seen = self._changes, await asyncio.to_thread(self._look)
        if seen == self._seen and changes == self._followed:
            return False  # routers and DHCP servers refresh an address again and again
        changed = await self._follow_to(seen)
        self._followed = changes
        return changed

    async def _follow_to(self, seen: list[Held]) -> bool:
        found = reached_by(seen, await self._layout(), self._families)
        if found != self._known:
            self._use(found)
        self._seen = seen
        if found == self._known:
            return False
        before, self._known = self._known, found
        if before is None:
            return False  # a start makes a new certificate in any case
        text = told(before, found)
        log.info("%s", text)
        event = Event("certificate.changed", self._clock(), text, "its addresses changed, or what they are for")
        await announce(self._store, self._bus, event)
        return True

    async def _layout(self) -> Layout | None:
        if not self._privileged.here:
            return None
        status = await self._privileged.call(Status())
        return status.trial.layout if status.trial else status.layout


def _open_bell() -> socket.socket:
    bell = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    bell.bind((0, _ADDRESS_GROUPS))
    return bell
