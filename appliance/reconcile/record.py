"""Events stored in the transaction of what they tell about, published once that is durable."""

import logging
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from appliance.errors import ApplianceError
from appliance.events import Bus, Event
from appliance.reconcile.precondition import PRECONDITIONS
from appliance.store import events
from appliance.store.store import Store

log = logging.getLogger(__name__)

T = TypeVar("T")
Tell = Callable[[Event], None]
"""Stores an event in the running transaction."""


async def record(store: Store, bus: Bus, job: Callable[[sqlite3.Connection, Tell], T]) -> T:
    """Run ``job`` in one transaction; what it tells is stored with it and published after the commit.

    Published it is also where the caller was cancelled before it heard of the commit: others wait for what is stored.

    Raises what ``job`` raises, and what the running task's preconditions do.
    """
    told: list[Event] = []
    preconditions = PRECONDITIONS.get()

    def run(db: sqlite3.Connection) -> T:
        told.clear()
        for check in preconditions:
            check(db)

        def tell(event: Event) -> None:
            told.append(events.add(db, event))

        return job(db, tell)

    def publish() -> None:
        for event in told:
            bus.publish(event)

    return await store.write(run, publish)


async def announce(store: Store, bus: Bus, event: Event) -> None:
    """Tell of what happened by itself: everybody who looks, at once; and the store, where that takes anything."""
    try:
        await record(store, bus, lambda _, tell: tell(event))
    except ApplianceError as error:
        bus.publish(event)
        log.warning("that is in no timeline: %s", error.message)
