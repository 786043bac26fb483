"""Watches the links of the interfaces that machines are served on, and tells when one goes or comes back.

The kernel says what changes (rtnetlink(7), RTMGRP_LINK); nobody is asked in between.
"""

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from appliance.events import Bus, Event
from appliance.links import ASK_FOR_ALL, Link, read
from appliance.reconcile.link_news import Condition, LinkNews, News
from appliance.reconcile.record import announce
from appliance.reconcile.surviving import Surviving
from appliance.store.store import Store

log = logging.getLogger(__name__)

AGAIN_SECONDS = 10.0
"""Until it is tried once more after the kernel refused."""
_LINK_GROUP = 1
"""RTMGRP_LINK."""
_LONGEST = 65536
"""Of what the kernel says at once: it makes no larger pieces than 32 KiB."""


def open_kernel() -> socket.socket:
    """What the kernel says of every change of an interface comes out of it; raises OSError."""
    kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    kernel.bind((0, _LINK_GROUP))
    return kernel


class LinkWatch:
    """``run`` watches for as long as the daemon lives."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Callable[[], float],
        interfaces: Iterable[str],
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """``ticks`` is for lengths of time: the clock is set at most starts."""
        self._store, self._bus, self._clock, self._ticks = store, bus, clock, ticks
        self._news = LinkNews(interfaces, ticks())
        self._links: dict[int, Link] = {}
        self._whole = False
        """Whether the kernel has told all that there are."""
        self._failed: OSError | None = None
        self._wake = asyncio.Event()
        self._cards: frozenset[str] = frozenset()
        self.arrived: list[Callable[[], None]] = []
        """Who is told when there is a card that was not there before, or has another name, and after the start."""

    def linked(self, interface: str) -> bool | None:
        """Whether machines can be reached over it; None where that cannot be told."""
        told = self._news.told.get(interface)
        if told is None or told.condition is Condition.UNSAID:
            return None
        return not told.condition.bad

    def trouble(self, interface: str) -> str:
        """Why no machine can be reached over it, and what to do; empty where they can."""
        told = self._news.told.get(interface)
        return f"{told.text(interface)}; {told.hint()}" if told and told.condition.bad else ""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with Surviving(log, "whether cables are plugged in cannot be told"):
                await self._watch()
            await asyncio.sleep(AGAIN_SECONDS)

    async def _watch(self) -> None:
        """Until the kernel could not say everything: it is then asked anew. Raises OSError where it refuses."""
        loop = asyncio.get_running_loop()
        with open_kernel() as kernel:
            while True:
                self._links, self._whole, self._failed = {}, False, None
                kernel.send(ASK_FOR_ALL)
                loop.add_reader(kernel, self._read, kernel)
                try:
                    await self._follow()
                finally:
                    loop.remove_reader(kernel)

    def _read(self, kernel: socket.socket) -> None:
        """Everything that waits; what went wrong is for the task to hear."""
        try:
            while True:
                self._whole |= read(kernel.recv(_LONGEST), self._links)
        except BlockingIOError:
            self._wake.set()
        except OSError as error:
            asyncio.get_running_loop().remove_reader(kernel)
            self._failed = error
            self._wake.set()

    async def _follow(self) -> None:
        """Tell what settles, until the kernel had more to say than we could hold (ENOBUFS)."""
        while self._failed is None:
            due = await self._judge() if self._whole else None
            with suppress(TimeoutError):
                async with asyncio.timeout(None if due is None else max(0.0, due - self._ticks())):
                    await self._wake.wait()
            self._wake.clear()
        if self._failed.errno != errno.ENOBUFS:
            raise self._failed

    async def _judge(self) -> float | None:
        """What the interfaces mean by now; when something will have settled, None where nothing waits."""
        self._news.see(self._links, self._ticks())
        cards = frozenset(each.name for each in self._links.values() if each.hardware)
        before, self._cards = self._cards, cards
        if cards - before:
            for tell in self.arrived:
                tell()
        for news in self._news.settled(self._ticks()):
            await self._tell(news)
        return self._news.due()

    async def _tell(self, news: News) -> None:
        log.warning("%s; %s", news.text, news.reason)
        detail = {"interface": news.interface, "cables": news.reach.cables, "condition": news.reach.condition}
        event = Event("network.link", self._clock(), news.text, news.reason, detail=detail)
        await announce(self._store, self._bus, event)
