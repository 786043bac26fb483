"""Events stored in the transaction of what they tell about, published once that is durable."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiosqlite

from appliance.events import Bus, Event
from appliance.reconcile.precondition import PRECONDITIONS
from appliance.store import events
from appliance.store.store import Store

T = TypeVar("T")
Tell = Callable[[Event], Awaitable[None]]
"""Stores an event in the running transaction."""


async def record(store: Store, bus: Bus, job: Callable[[aiosqlite.Connection, Tell], Awaitable[T]]) -> T:
    """Run ``job`` in one transaction; what it tells is stored with it and published after the commit.

    Raises what ``job`` raises, and what the running task's preconditions do.
    """
    told: list[Event] = []
    preconditions = PRECONDITIONS.get()

    async def run(db: aiosqlite.Connection) -> T:
        told.clear()
        for check in preconditions:
            await check(db)

        async def tell(event: Event) -> None:
            told.append(await events.add(db, event))

        return await job(db, tell)

    result = await store.write(run)
    for event in told:
        bus.publish(event)
    return result
