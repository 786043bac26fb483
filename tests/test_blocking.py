"""Work in a thread: its result, its error, and its end when whoever waits is cancelled, more than once too."""

import asyncio
import threading

import pytest

from appliance.blocking import in_a_thread


async def test_what_it_returns_and_raises() -> None:
    assert await in_a_thread(lambda _: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await in_a_thread(lambda _: 1 // 0)


async def test_who_is_cancelled_twice_waits_until_it_has_ended() -> None:
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()
    told: list[bool] = []

    def work(stop: threading.Event) -> None:
        begun.set()
        told.append(stop.wait(30))
        go.wait(30)
        ended.set()

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(in_a_thread(work))
        await asyncio.to_thread(begun.wait, 30)
        for _ in range(2):
            waiting.cancel()
            assert not (await asyncio.wait([waiting], timeout=0.05))[0]
        go.set()
    assert waiting.cancelled()
    assert told == [True]
    assert ended.is_set()
