"""One SQLite file, one writer, a few readers. Jobs that wait together share one durable commit.

Jobs are plain functions and run whole in a thread of the database's, beside the event loop: handing every statement
of theirs to a thread by itself took several times as long as the statements.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from appliance.errors import ApplianceError
from appliance.store.copies import prepare
from appliance.store.lane import Lane, lane
from appliance.store.schema import MIGRATIONS, migrate
from appliance.store.thrift import Thrift, begin_log_anew

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]
"""Reads or writes through the connection it is given, in a thread of the database's; it must not commit.

One that writes may be run again, when nothing of its first time was kept: it changes nothing but the database.
"""

READERS = 4
"""Reads that run at once: nobody's boot waits for somebody's long list."""

BATCH = 512
"""Jobs that share one commit at most: bounds how long the first of them waits."""

PATIENCE: ContextVar[float | None] = ContextVar("patience", default=None)
"""Seconds that the running task waits for the disk; None: until it answers, as the daemon's own loops do."""


def _is_of_disk(error: Exception) -> bool:
    """Whether no other job can be promised anything either; other errors are those of one job, or of its SQL."""
    classes = (sqlite3.OperationalError, sqlite3.DatabaseError)  # and not their children: IntegrityError ...
    return type(error) in classes and _primary(error) != sqlite3.SQLITE_ERROR


class _GivenUpError(Exception):
    """Nobody waited any more when the turn of this job came: it was not run."""


@dataclass(slots=True)
class _Waiting:
    job: Job[Any]
    future: "asyncio.Future[Any]"
    since: float
    """The loop's time."""
    then: Callable[[], None]


class Store:
    """Durable state. ``write`` returns after the commit reached the disk; ``read`` sees the last commit."""

    def __init__(self, writer: Lane, readers: Lane, thrift: Thrift) -> None:
        self._writer = writer
        self._readers = readers
        self._thrift = thrift
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._oldest: float | None = None
        """Since when the first write of those on their way to the disk waits, in the loop's time."""
        self.written: Callable[[float], None] = lambda _: None
        """Told of each write how many seconds it took from the wish to the disk, also where that failed."""

    async def write(self, job: Job[T], then: Callable[[], None] = lambda: None) -> T:
        """Run ``job`` in a transaction of its own and return its result once that is on disk.

        ``then`` is called first, on the loop, also where whoever asked was cancelled in the meantime and hears nothing.

        Raises what the job raised (nothing of it is kept then), or ApplianceError ``store-failed`` when the
        disk would not take it, or ``store-stuck`` when the task's ``PATIENCE`` ended first: then the job may still
        be done once the disk answers, as if its result were lost on the way.
        """
        patience = PATIENCE.get()
        if patience is not None and self.stuck_for() > patience:
            raise _stuck(self.stuck_for())  # and nothing queues up that nobody waits for
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.put_nowait(_Waiting(job, future, loop.time(), then))
        try:
            async with asyncio.timeout(patience) as limit:
                return await future
        except TimeoutError:
            if not limit.expired():
                raise  # the job's own
            raise _stuck(self.stuck_for()) from None

    async def write_if_possible(self, job: Job[T]) -> T | None:
        """The same for what may as well be left out: None where the disk is stuck, full or broken."""
        try:
            return await self.write(job)
        except ApplianceError as error:
            if error.code not in ("store-stuck", "store-failed"):
                raise
            return None

    def stuck_for(self) -> float:
        """Seconds that the oldest write of all has been on its way to the disk; 0 where none is."""
        return 0.0 if self._oldest is None else asyncio.get_running_loop().time() - self._oldest

    async def read(self, job: Job[T]) -> T:
        """Run a job that only reads, on one consistent snapshot.

        Raises what the job raised, or ApplianceError ``store-failed`` when the disk could not be read.
        """
        return await self._readers.run(_look, job)

    async def run(self) -> None:
        """The writer: takes what waits, commits it together, wakes those who waited. Runs until cancelled."""
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            self._oldest = batch[0].since
            outcomes = await self._writer.run(_commit, batch, self._thrift)
            self._oldest = None
            self._settle(batch, outcomes)

    def _settle(self, batch: list[_Waiting], outcomes: list[Any]) -> None:
        loop = asyncio.get_running_loop()
        for waiting, outcome in zip(batch, outcomes, strict=True):
            self.written(loop.time() - waiting.since)
            if not isinstance(outcome, Exception):
                loop.call_soon(waiting.then)
            if waiting.future.done():
                continue  # given up
            if isinstance(outcome, Exception):
                waiting.future.set_exception(outcome)
            else:
                waiting.future.set_result(outcome)


def _look(db: sqlite3.Connection, job: Job[T]) -> T:
    try:
        db.execute("BEGIN")
        return job(db)
    except sqlite3.Error as error:
        if _primary(error) == sqlite3.SQLITE_ERROR:
            raise  # the job's SQL is wrong
        raise _failure("read", error) from error
    finally:
        db.rollback()


def _commit(db: sqlite3.Connection, batch: list[_Waiting], thrift: Thrift) -> list[Any]:
    """What each job returned or raised, once all that they changed is on disk.

    On a full disk each has a transaction of its own: what overwrites needs no room, whatever the others need.
    """
    try:
        thrift.before(db)
        outcomes = _together(db, batch)
    except sqlite3.Error as error:
        if _primary(error) != sqlite3.SQLITE_FULL:
            return [_failure("written", error) for _ in batch]
        outcomes = [_alone(db, waiting) for waiting in batch]
    thrift.after(db)
    return outcomes


def _alone(db: sqlite3.Connection, waiting: _Waiting) -> Any:
    begin_log_anew(db)
    try:
        return _together(db, [waiting])[0]
    except sqlite3.Error as error:
        return _failure("written", error)


def _together(db: sqlite3.Connection, batch: list[_Waiting]) -> list[Any]:
    """The same in one transaction; raises sqlite3.Error where the disk takes nothing of it."""
    try:
        db.execute("BEGIN IMMEDIATE")
        outcomes = [_one(db, waiting) for waiting in batch]
        db.execute("COMMIT")
    except sqlite3.Error:
        db.rollback()
        raise
    return outcomes


def _one(db: sqlite3.Connection, waiting: _Waiting) -> Any:
    """The result of one job, or the exception it raised with its changes undone."""
    if waiting.future.cancelled():
        return _GivenUpError()
    db.execute("SAVEPOINT job")
    try:
        result = waiting.job(db)
    except Exception as error:
        if _is_of_disk(error):
            raise  # nothing of this batch can be promised; on a full disk SQLite has undone it already
        db.execute("ROLLBACK TO job")
        result = error
    db.execute("RELEASE job")
    return result


def _failure(done: str, error: sqlite3.Error) -> ApplianceError:
    full = _primary(error) == sqlite3.SQLITE_FULL
    hint = "its disk is full: delete images that nobody deploys, or free other space" if full else "look at the disk"
    return ApplianceError("store-failed", f"the state could not be {done}: {error}", hint)


def _stuck(seconds: float) -> ApplianceError:
    text = f"the disk that holds the state has not answered for {seconds:.0f} s, so nothing can be changed now"
    return ApplianceError("store-stuck", text, "see to the disk; look again afterwards whether it was done")


def _what_to_do(path: Path, error: sqlite3.Error) -> str:
    """A backup is the answer to a damaged file only; it would throw away what a good one knows."""
    if _primary(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return "restore a backup of the state"
    if _primary(error) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return f"free some space on the file system of {path.parent}, and look at the disk"
    return f"see to it that the user who runs the daemon may write to {path.parent}"


def _primary(error: Exception) -> int:
    """SQLite's result code without the details in its upper bits; 0 for an error of Python's own module."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


@asynccontextmanager
async def open_store(path: Path, *, may_go_back: bool = False) -> AsyncIterator[Store]:
    """The store in ``path``, made or migrated; its writer runs for the length of the with-block.

    ``may_go_back``: a store that a newer version wrote gives its place to the copy of before its migration. Raises
    ApplianceError ``store-unusable`` when the file cannot be opened or is no database; the hint tells which. Before a
    migration also ``store-no-room`` and ``store-uncopied``.
    """
    async with _lanes(path, may_go_back) as (writer, readers), asyncio.TaskGroup() as tasks:
        thrift = Thrift(path)
        await asyncio.to_thread(thrift.keep_log)
        store = Store(writer, readers, thrift)
        running = tasks.create_task(store.run(), name="store writer")
        try:
            yield store
        finally:
            running.cancel()


@asynccontextmanager
async def _lanes(path: Path, may_go_back: bool) -> AsyncIterator[tuple[Lane, Lane]]:
    """The writer's and the readers', on a file of the newest schema."""
    async with AsyncExitStack() as opened:
        try:
            await asyncio.to_thread(prepare, path, len(MIGRATIONS), may_go_back=may_go_back, now=time.time())
            writer = await opened.enter_async_context(lane(path, 1, "writer"))
            await writer.run(migrate)
            readers = await opened.enter_async_context(lane(path, READERS, "reader"))
        except sqlite3.Error as error:
            raise ApplianceError("store-unusable", f"{path}: {error}", _what_to_do(path, error)) from error
        yield writer, readers
