"""Work that blocks, in a thread of its own; nothing of it goes on behind the back of whoever was cancelled."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def in_a_thread(work: Callable[[threading.Event], T]) -> T:
    """What it returns; raises what it raises.

    Who is cancelled, however often, waits until it has ended: ``work`` is given what is set then, and ends at its next
    step.
    """
    stop = threading.Event()
    running = asyncio.get_running_loop().run_in_executor(None, work, stop)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        running.exception()  # whatever it was, nobody asks for it any more
        raise
