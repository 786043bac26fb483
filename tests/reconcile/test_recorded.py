"""What was stored is told, whoever hears of it."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.events import Bus, Event, Published
from appliance.reconcile.record import Tell, record
from appliance.store import events
from appliance.store.store import Store, open_store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "store.db") as made:
        yield made


async def test_it_is_told_although_who_did_it_was_cancelled_meanwhile(store: Store) -> None:
    """Else a job that somebody asked for, and did not wait for, would not be begun before the next look."""
    bus, heard = Bus(), list[Published]()
    loop, begun, ends = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def job(_: sqlite3.Connection, tell: Tell) -> None:
        tell(Event("task.changed", 5.0, "a task waits"))
        loop.call_soon_threadsafe(begun.set)
        assert ends.wait(30)

    with bus.listen(heard.append):
        async with asyncio.TaskGroup() as group:
            asker = group.create_task(record(store, bus, job))
            await begun.wait()
            asker.cancel()
            ends.set()
        await record(store, bus, lambda _, tell: tell(Event("task.changed", 6.0, "another")))
    stored = await store.read(events.query)
    assert [each.text for each in heard if isinstance(each, Event)] == ["a task waits", "another"]
    assert sorted(each.text for each in stored) == ["a task waits", "another"]


async def test_nothing_is_told_of_what_was_not_kept(store: Store) -> None:
    bus, heard = Bus(), list[Published]()

    def job(_: sqlite3.Connection, tell: Tell) -> None:
        tell(Event("task.changed", 5.0, "a task waits"))
        raise ValueError("no")

    with bus.listen(heard.append), pytest.raises(ValueError, match="no"):
        await record(store, bus, job)
    assert heard == []
    assert list(await store.read(events.query)) == []
