"""A fixed number of connections to one SQLite file, each with a thread to itself while it is used."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000", "temp_store=MEMORY")
STATEMENTS = 512
"""Prepared statements that a connection keeps, which are more than the product has."""


class Lane:
    """As many jobs as it has connections run at once; the others queue up, first come, first served."""

    def __init__(self, connections: list[sqlite3.Connection], threads: ThreadPoolExecutor) -> None:
        self._threads = threads
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        for connection in connections:
            self._idle.put(connection)

    async def run(self, job: Callable[..., T], *args: Any) -> T:
        """What ``job(connection, *args)`` returns or raises.

        Who is cancelled does not wait for its end; what has begun goes on to its end all the same.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, job, args)

    def _run(self, job: Callable[..., T], args: tuple[Any, ...]) -> T:
        connection = self._idle.get_nowait()  # there are as many as there are threads
        try:
            return job(connection, *args)
        finally:
            self._idle.put(connection)


@asynccontextmanager
async def lane(path: Path, width: int, name: str) -> AsyncIterator[Lane]:
    """A lane of ``width`` connections to the file; closed when the last job has ended. Raises sqlite3.Error."""
    connections: list[sqlite3.Connection] = []
    threads = ThreadPoolExecutor(width, f"store-{name}")
    try:
        for _ in range(width):
            connections.append(await asyncio.to_thread(connect, path))
        yield Lane(connections, threads)
    finally:
        await asyncio.to_thread(_close, threads, connections)


def connect(path: Path) -> sqlite3.Connection:
    """A connection with everything that the store promises; raises sqlite3.Error."""
    # Threads share it, one after the other: the lane sees to that.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS)
    try:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _close(threads: ThreadPoolExecutor, connections: list[sqlite3.Connection]) -> None:
    threads.shutdown(wait=True)
    for connection in connections:
        connection.close()
