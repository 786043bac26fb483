"""Leases on their way to a disk that is slow, stuck or broken."""

import asyncio
from collections.abc import Sequence
from ipaddress import IPv4Address

import pytest

from appliance.lease import Lease, LeaseState
from appliance.netboot.dhcp.saver import GATHER_SECONDS, Saver


def lease(last: int) -> Lease:
    return Lease("52:54:00:00:00:01", IPv4Address(f"10.77.0.{last}"), "br0", b"", "", 0.0, 1.0, LeaseState.BOUND)


class Disk:
    """Writes when it is told to; every write announces itself."""

    def __init__(self) -> None:
        self.started: asyncio.Queue[list[Lease]] = asyncio.Queue()
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def load(self) -> Sequence[Lease]:
        return []

    async def save(self, leases: Sequence[Lease]) -> None:
        self.started.put_nowait(list(leases))
        await self.go.wait()
        if self.error is not None:
            raise self.error


async def test_what_comes_while_the_disk_is_stuck_is_one_batch_in_order() -> None:
    disk, done = Disk(), asyncio.Queue[Sequence[Lease]]()
    saver = Saver(disk, done.put_nowait, done.put_nowait)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(saver.run())
        saver.put(lease(1))
        assert await disk.started.get() == [lease(1)]
        saver.put(lease(2))
        saver.put(lease(3))
        assert done.empty()
        disk.go.set()
        assert await disk.started.get() == [lease(2), lease(3)]
        assert [await done.get(), await done.get()] == [[lease(1)], [lease(2), lease(3)]]
        running.cancel()


async def test_in_a_crowd_leases_wait_for_others_and_one_alone_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    waits, over = asyncio.Queue[float](), asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.put_nowait(seconds)
        await over.wait()

    disk, done = Disk(), asyncio.Queue[Sequence[Lease]]()
    disk.go.set()
    saver = Saver(disk, done.put_nowait, done.put_nowait)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(saver.run())
        saver.put(lease(1))
        assert await done.get() == [lease(1)]
        saver.put(lease(2))
        saver.put(lease(3))
        assert await done.get() == [lease(2), lease(3)], "nobody knew of a crowd yet"
        saver.put(lease(4))
        assert await waits.get() == GATHER_SECONDS
        saver.put(lease(5))
        over.set()
        assert await done.get() == [lease(4), lease(5)]
        running.cancel()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("database is locked")])
async def test_failed_write_is_reported_and_the_next_one_tried(error: Exception) -> None:
    disk, saved, failed = Disk(), asyncio.Queue[Sequence[Lease]](), asyncio.Queue[Sequence[Lease]]()
    disk.go.set()
    disk.error = error
    saver = Saver(disk, saved.put_nowait, failed.put_nowait)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(saver.run())
        saver.put(lease(1))
        assert await failed.get() == [lease(1)]
        disk.error = None
        saver.put(lease(2))
        assert await saved.get() == [lease(2)]
        running.cancel()


async def test_what_is_refused_together_is_written_in_parts_and_in_order() -> None:
    """A longer lease overwrites a row on a full disk; a new one needs room."""
    saved: list[Lease] = []
    failed: list[Lease] = []
    new = lease(3)

    class Full(Disk):
        async def save(self, leases: Sequence[Lease]) -> None:
            if new in leases:
                raise OSError(28, "No space left on device")

    saver = Saver(Full(), saved.extend, failed.extend)
    async with asyncio.TaskGroup() as tasks:
        for last in (1, 2, 3, 4, 5):
            saver.put(lease(last))
        running = tasks.create_task(saver.run())
        await saver.written()
        running.cancel()
    assert (saved, failed) == ([lease(1), lease(2), lease(4), lease(5)], [new])
