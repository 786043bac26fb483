"""Gives attempts what they need of power switches: what nobody has to do by hand any more.

Beside the reconcile loop, since switches are slow and some are dead. Like that one it starts each round from what is
stored, whatever woke it: an order that was cut off by a crash is found again, and gone on with.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from appliance.about import about
from appliance.errors import Conflict
from appliance.events import Bus, Event, Published
from appliance.power_order import OrderId, PowerOrder, failed
from appliance.reconcile.power_needs import Need, needs
from appliance.reconcile.power_orders import PowerOrders, end_order
from appliance.reconcile.record import Tell, record
from appliance.reconcile.surviving import Surviving
from appliance.store import attempts, power
from appliance.store.store import Store
from appliance.workflow import Attempt, Status

log = logging.getLogger(__name__)

LONGEST = 15.0
"""Seconds between two rounds at most."""
SHORTEST = 1.0
"""The same at least, where nothing happens: what cannot be done now stays due."""


GATHER = 0.5
"""Seconds in which what happens counts as one: a fleet that boots says a lot."""


class PowerLoop:
    """Level-triggered; every order is done by a task of its own."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], orders: PowerOrders) -> None:
        self._store, self._bus, self._clock, self._orders = store, bus, clock, orders
        self._doing: set[OrderId] = set()

    async def run(self) -> None:
        """Run until cancelled."""
        with self._bus.subscribe(64) as subscription:
            async with asyncio.TaskGroup() as group:
                while True:
                    pause = LONGEST
                    with Surviving(log, "what attempts need of power switches waits"):
                        pause = await self.round(group)
                    await subscription.woken(_matters, pause)
                    await asyncio.sleep(GATHER)

    async def round(self, group: asyncio.TaskGroup) -> float:
        """Begin what is due; seconds until something can be due by itself."""
        now = self._clock()
        found = await self._store.read(lambda db: needs(db, now))
        for each in found:
            if each.remedy.at <= now:
                await self._store.write(partial(self._give, each))
        for order in await self._store.read(power.open_orders):
            if order.task is None and order.id not in self._doing:
                self._doing.add(order.id)
                group.create_task(self._do(order), name=f"power order {order.id}")
        await self._end_strays()
        soonest = min((each.remedy.at for each in found), default=now + LONGEST)
        return min(max(soonest - now, SHORTEST), LONGEST)

    def _give(self, seen: Need, db: sqlite3.Connection) -> None:
        """Store the order; what needs it is looked at once more, in the same transaction."""
        now, machine = self._clock(), seen.attempt.machine
        need = next(iter(needs(db, now, machine)), None)
        if need is None or need.remedy.at > now or power.open_order(db, machine) is not None:
            return
        attempt = need.attempt
        order = PowerOrder(OrderId(0), machine, need.remedy.action, now, now, network=True, attempt=attempt.id)
        power.add_order(db, replace(order, step=attempt.step.name if attempt.step else ""))

    async def _end_strays(self) -> None:
        """Orders of tasks that have ended without them: somebody cancelled those before they began."""

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            for order in power.stray_orders(db):
                now = self._clock()
                end_order(db, tell, failed(order, "cancelled", "its task has ended", now), now)

        if await self._store.read(power.stray_orders):
            await record(self._store, self._bus, job)

    async def _do(self, order: PowerOrder) -> None:
        with about(order.machine), Surviving(log, f"power order {order.id} waits"):
            try:
                await self._orders.carry_out(order.id, _say, self._check)
            finally:
                self._doing.discard(order.id)

    async def _check(self, order: PowerOrder) -> None:
        """Raise Conflict ``power-overtaken`` where the attempt has gone on without it, and nothing was sent yet.

        Later it is carried to its end: a machine that was switched off for it would stay off.
        """
        attempt = await self._store.read(lambda db: attempts.find(db, order.attempt or ""))
        if order.index == 0 and not order.sent and not _is_at(attempt, order.step):
            raise Conflict("power-overtaken", "what needed it has gone on without it")


def _is_at(attempt: Attempt | None, step: str) -> bool:
    if attempt is None or attempt.status is not Status.LIVE or attempt.step is None:
        return False
    return attempt.step.name == step


async def _say(text: str) -> None:
    log.info("its power switch: %s", text)


_KINDS = ("attempt.", "step.", "machine.power", "machine.changed", "task.changed", "script.served")


def _matters(item: Published) -> bool:
    return isinstance(item, Event) and item.kind.startswith(_KINDS)
