"""Threads for calls that block: never more than there may be, and nobody waits longer than was said."""

import asyncio
import threading

import pytest

from appliance.hypervisor.threads import Threads


@pytest.fixture
def threads():
    made = Threads(2, "tried")
    yield made
    made.close()


async def test_what_is_returned_and_what_is_raised(threads):
    assert await threads.run(lambda: 7, 5) == 7
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0, 5)
    assert await threads.run(threading.current_thread, 5) is not threading.current_thread()


async def test_there_are_never_more_than_were_said(threads):
    running, most, guard = 0, 0, threading.Lock()
    both = threading.Barrier(2, timeout=5)

    def work():
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        both.wait()
        with guard:
            running -= 1

    await asyncio.gather(*(threads.run(work, 10) for _ in range(8)))
    assert most == 2
    assert len([each for each in threading.enumerate() if each.name.startswith("tried")]) == 2


async def test_one_that_is_free_is_used_again(threads):
    seen = {await threads.run(threading.get_ident, 5) for _ in range(5)}
    assert len(seen) <= 2


async def test_who_is_late_goes_on_and_what_has_not_begun_never_does(threads):
    free, begun = threading.Event(), []
    try:
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await threads.run(free.wait, 0.05)
        with pytest.raises(TimeoutError):
            await threads.run(lambda: begun.append("late"), 0.05)
    finally:
        free.set()
    assert await threads.run(lambda: 7, 5) == 7
    assert begun == []


async def test_a_thread_that_is_stuck_does_not_keep_the_process(threads):
    assert (await threads.run(threading.current_thread, 5)).daemon
