"""Samples of all hosts, on the disk and back: what hangs, goes away, or is killed costs its own figures only."""

import asyncio

import pytest

from appliance.errors import ApplianceError
from appliance.events import Bus, Measured
from appliance.hypervisor.memory import Kept, Memory, MemoryHost
from appliance.reconcile.vm_statistics import sampling
from appliance.reconcile.vm_statistics.history import VmHistory
from appliance.reconcile.vm_statistics.keeping import Keeping
from appliance.reconcile.vm_statistics.sampling import Known, Sampling
from appliance.store import vm_statistics as stored
from appliance.store.store import open_store
from appliance.vm import Vm, VmId, VmState
from appliance.vm_figure import Span
from appliance.vm_points import COARSE, DAY, FINE, HOUR, WEEK
from appliance.vm_usage import DiskUse, Usage

A, B = VmId("00000000-0000-4000-8000-00000000000a"), VmId("00000000-0000-4000-8000-00000000000b")
WALL = 1_795_200_000.0


@pytest.fixture
async def store(tmp_path):
    async with open_store(tmp_path / "store.db") as opened:
        yield opened


def used(key=A, run=1, seconds=0.0, read=0):
    return Usage(key, run, int(seconds * 1e9), 1 << 30, None, (DiskUse("sda", read, 0, 0, 0),), ())


class Daemon:
    """The part of one that samples, with hours that pass as fast as they are counted."""

    def __init__(self, store, wall=WALL):
        self.store, self.wall, self.at = store, wall, 5000.0
        self.begin()

    def begin(self):
        self.known, self.keeping, self.written = Known(), Keeping(self.store), self.wall
        self.history = VmHistory(self.store, self.known)

    async def live(self, seconds, share=1.0, key=A):
        """A VM takes ``share`` of a core all that time."""
        for _ in range(0, int(seconds), 10):
            self.wall, self.at = self.wall + 10, self.at + 10
            self.known.take("one", [used(key, seconds=self.at * share)], self.at, self.wall)
            if self.wall - self.written >= 600:
                await self.write()

    async def write(self):
        self.written = self.wall
        await self.keeping.write(self.known.series, self.wall)
        await self.keeping.grow_old(self.wall)

    async def columns(self, span, key=A):
        return await self.history.of(key, span, self.at, self.wall)

    async def rows(self, step):
        return await self.store.read(lambda db: stored.read(db, A, step, self.wall - 2 * WEEK, 2e9))


def flat(values, share):
    return all(value is None or abs(value - share) < 2e-3 for value in values)


async def test_live_figures_are_those_of_the_last_ten_seconds(store):
    daemon = Daemon(store)
    daemon.known.take("one", [used(seconds=1, read=100)], 10.0, WALL)
    daemon.known.take("one", [used(seconds=4, read=600)], 20.0, WALL + 10)
    live = daemon.history.live(A)
    assert (live.host, live.rates.cpu, live.rates.disks[0].read) == ("one", 0.3, 50.0)
    daemon.known.take("one", [Usage(A, None)], 30.0, WALL + 20)
    assert daemon.history.live(A) is None
    daemon.known.take("one", [used(run=2, seconds=9)], 40.0, WALL + 30)
    assert daemon.history.live(A).rates.cpu is None, "what a VM used before it was started again is not this run's"


async def test_an_hour_is_shown_in_samples_and_a_day_in_steps(store):
    daemon = Daemon(store)
    await daemon.live(2 * HOUR, 0.5)
    hour, day = await daemon.columns(Span.HOUR), await daemon.columns(Span.DAY)
    assert len(hour.time) in (359, 360)
    assert hour.time[-1] == daemon.wall
    assert flat(hour.averages["cpu"], 0.5)
    assert abs(len(day.time) - 2 * HOUR / FINE) <= 1
    assert flat(day.averages["cpu"][1:], 0.5)


async def test_a_week_is_kept_and_no_more(store):
    daemon = Daemon(store)
    for number in range(9 * 72):  # a sample every twenty minutes is enough to fill nine days
        daemon.wall, daemon.at = daemon.wall + COARSE, daemon.at + COARSE
        daemon.known.take("one", [used(seconds=daemon.at / 4)], daemon.at, daemon.wall)
        if number % 6 == 5:
            await daemon.write()
    week, day = await daemon.columns(Span.WEEK), await daemon.columns(Span.DAY)
    assert len(week.time) in (503, 504, 505)
    assert flat(week.averages["cpu"], 0.25)
    assert week.time == sorted(week.time)
    assert daemon.wall - WEEK <= week.time[0] < daemon.wall - WEEK + 2 * COARSE
    assert daemon.wall - DAY <= day.time[0] < daemon.wall - DAY + COARSE
    fine, rough = await daemon.rows(FINE), await daemon.rows(COARSE)
    assert len(fine) <= DAY / COARSE + 2
    assert len(rough) <= WEEK / COARSE + 2
    assert {len(points) for _, points in rough} == {36}
    assert {len(points) for _, points in fine} == {360}
    assert len(daemon.known.series[A].rows()) <= 1, "what is on the disk is not in memory"


async def test_a_daemon_that_is_killed_loses_ten_minutes_at_most(store):
    daemon = Daemon(store)
    await daemon.live(2 * HOUR)
    before = (await daemon.columns(Span.DAY)).time
    daemon.begin()
    after = (await daemon.columns(Span.DAY)).time
    assert set(after) <= set(before)
    assert before[-1] - after[-1] <= 600 + FINE
    assert len((await daemon.columns(Span.HOUR)).time) > 20, "the hour is there in steps of two minutes"


async def test_two_runs_within_one_row_fill_each_others_gaps(store):
    daemon = Daemon(store)
    await daemon.live(500)
    daemon.known.series[A].close()
    await daemon.write()
    daemon.begin()
    await daemon.live(500)
    daemon.known.series[A].close()
    await daemon.write()
    ((start, _),) = await daemon.rows(FINE)
    times = [time - start for time in (await daemon.columns(Span.DAY)).time]
    assert times == [0, 120, 240, 360, 480, 600, 720, 840, 960]


async def test_a_clock_that_was_ahead_leaves_nothing_behind(store):
    daemon = Daemon(store, WALL + 9e6)
    await daemon.live(HOUR)
    daemon.wall -= 9e6
    daemon.written = daemon.wall
    await daemon.live(HOUR)
    assert max(start for start, _ in await daemon.rows(FINE)) <= daemon.wall
    assert flat((await daemon.columns(Span.HOUR)).averages["cpu"][1:], 1.0), "rates know nothing of that clock"


async def test_a_vm_that_is_gone_is_forgotten_and_one_on_a_silent_host_is_not(store):
    daemon = Daemon(store)
    await daemon.live(HOUR)
    await daemon.live(HOUR, key=B)
    assert await store.read(stored.vms) == {A, B}
    await daemon.keeping.forget({A, B})
    assert await store.read(stored.vms) == {A, B}
    await daemon.keeping.forget({B})
    assert await store.read(stored.vms) == {B}


async def test_a_vm_that_is_off_leaves_memory_after_an_hour(store):
    daemon = Daemon(store)
    await daemon.live(HOUR)
    daemon.known.take("one", [Usage(A, None)], daemon.at, daemon.wall)
    daemon.wall, daemon.at = daemon.wall + 2 * HOUR, daemon.at + 2 * HOUR
    daemon.known.tidy(daemon.at)
    await daemon.write()
    daemon.known.tidy(daemon.at)
    assert daemon.known.series == {}
    assert len((await daemon.columns(Span.DAY)).time) > 25


class Hangs:
    async def statistics(self):
        await asyncio.Event().wait()


async def test_a_host_that_hangs_costs_nobody_else_a_figure(store):
    bus = Bus()
    memory = Memory(lambda: 0.0)
    memory.kept[A] = Kept("0123456789abcdef", Vm(A, "web1"))
    memory.put(A, VmState.RUNNING)
    hosts = {"silent": Hangs(), "one": MemoryHost(memory, "0123456789abcdef")}

    async def found():
        return hosts

    under_test = Sampling(store, bus, lambda: WALL, found)
    heard = asyncio.Queue()
    with bus.listen(heard.put_nowait):
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(under_test.run())
            async with asyncio.timeout(10):
                assert await heard.get() == Measured("one")
            assert under_test.known.live[A].host == "one"
            running.cancel()
    assert await store.read(stored.vms) == {A}, "what was measured goes to the disk at the end"


async def test_what_cannot_be_read_ends_nothing(store, monkeypatch):
    """A disk that fails costs figures, and no daemon."""
    rounds = asyncio.Queue()

    async def found():
        rounds.put_nowait(None)
        raise ApplianceError("store-failed", "the disk is broken")

    async def fails(*_):
        rounds.put_nowait(None)
        raise ApplianceError("store-failed", "the disk is broken")

    monkeypatch.setattr(sampling, "EVERY", 0.01)
    monkeypatch.setattr(sampling, "WRITTEN_EVERY", 0.01)
    under_test = Sampling(store, Bus(), lambda: WALL, found)
    monkeypatch.setattr(under_test._keeping, "grow_old", fails)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(under_test.run())
        async with asyncio.timeout(10):
            for _ in range(10):
                await rounds.get()
        running.cancel()


async def test_a_host_that_does_not_answer_has_no_live_figures(store):
    daemon = Daemon(store)
    daemon.known.take("one", [used()], 10.0, WALL)
    daemon.known.take("two", [used(B)], 10.0, WALL)
    daemon.known.silent("one")
    assert (daemon.history.live(A), daemon.history.live(B).host) == (None, "two")
    assert daemon.known.there == {"two": frozenset({B})}


async def test_a_vm_that_moved_is_told_by_the_host_that_runs_it(store):
    daemon = Daemon(store)
    daemon.known.take("one", [used(seconds=100)], 10.0, WALL)
    daemon.known.take("two", [used(seconds=1)], 15.0, WALL + 5)
    daemon.known.take("one", [Usage(A, None)], 20.0, WALL + 10)
    daemon.known.take("two", [used(seconds=2)], 25.0, WALL + 15)
    assert (daemon.history.live(A).host, daemon.history.live(A).rates.cpu) == ("two", 0.1)
