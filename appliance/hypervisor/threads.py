"""A few threads for calls that block, and that may never return: nobody waits for them, not even the process's end."""

import asyncio
import concurrent.futures
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_Job = Callable[[], None]


class Threads:
    """At most so many, made when they are first needed.

    The executors of the standard library are waited for when Python ends: a host that hangs would keep the daemon.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name = most, name
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)

    async def run(self, work: Callable[[], T], seconds: float) -> T:
        """What it returns; raises what it raises, and TimeoutError after ``seconds``.

        Whoever is late or cancelled goes on at once. The work does too, where it has begun, and what comes of it is
        dropped; what has not begun never does.
        """
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)

        self._jobs.put(job)
        self._another()
        async with asyncio.timeout(seconds):
            return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Each ends with what it does just now."""
        for _ in self._threads:
            self._jobs.put(None)
        self._threads.clear()

    def _another(self) -> None:
        if self._idle.acquire(blocking=False) or len(self._threads) >= self._most:
            return
        thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # and with it the connection that it had
            self._idle.release()
