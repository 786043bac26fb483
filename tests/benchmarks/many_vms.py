"""Two hundred VMs: listed with the states in which they are, and sampled every ten seconds for a week.

They are those of libvirt's driver for tests, definitions and states without processes: what is measured is libvirt's
library, its answers, and all that we do with them.
"""

import asyncio
import gc
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import uvloop

from appliance.hypervisor import event_thread
from appliance.hypervisor.build import Surroundings
from appliance.hypervisor.domain_xml import Accel, definition
from appliance.reconcile.vm_statistics.history import VmHistory
from appliance.reconcile.vm_statistics.keeping import Keeping
from appliance.reconcile.vm_statistics.sampling import Known
from appliance.reconcile.vms.host_rooms import HostRooms
from appliance.reconcile.vms.looking import Looking
from appliance.store import vm_hosts
from appliance.store.store import Store, open_store
from appliance.vm import Disk, Nic, Vm, VmId, mac_of
from appliance.vm_figure import Span
from appliance.vm_points import COARSE, DAY, EVERY, WEEK, packed, sampled
from appliance.vm_usage import FIGURES, DiskUse, NicUse, Usage
from appliance.vm_work import HostId, KnownHost
from tests.benchmarks.bench import say
from tests.benchmarks.figure import Figure

NAME = "many-vms"
VMS, ROUNDS = 200, 15
MOST_LISTED = 100
"""Milliseconds."""
MOST_ROUND, MOST_WEEK = 100, 100
"""Milliseconds of processor time for one sample of each; until a chart of a week is answered."""
MOST_MEMORY, MOST_KEPT = 20, 30
"""MB of memory, and of the store."""
ADDRESS, OWNER = "test:///default", "0123456789abcdef"
WALL = 1_795_200_000.0


KEYS = tuple(VmId(f"00000000-0000-4000-8000-{number:012x}") for number in range(VMS))


def vm(number: int) -> Vm:
    """One with two disks and a network card."""
    disks = tuple(Disk(f"sd{letter}", f"/dev/qrm/{number:08x}{place:08x}") for place, letter in enumerate("ab"))
    nics = (Nic(mac_of(number.to_bytes(3, "big")), "br0"),)
    return Vm(KEYS[number], f"vm-{number}", 2, 1 << 30, disks, (), nics, ("sda", nics[0].mac))


def used(number: int, seconds: float) -> Usage:
    """As a busy one is counted."""
    grown = int(seconds * (number + 1) * 1000)
    disks = tuple(DiskUse(f"sd{letter}", grown, grown * 2, grown // 9, grown // 7) for letter in "ab")
    nics = (NicUse(0, f"vnet{number}", grown * 5, grown * 3),)
    return Usage(KEYS[number], 1, int(seconds * 5e8), 1 << 30, 1 << 29, disks, nics)


async def measure() -> list[Figure]:
    """Medians."""
    return await asyncio.to_thread(uvloop.run, _measure())


async def _measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="vms-") as directory, _running():
        async with open_store(Path(directory) / "store.db") as store:
            return [*await _listed(store), *await _sampled(store)]


@contextmanager
def _running() -> Iterator[None]:
    """The VMs, which run."""
    import libvirt

    event_thread.hold()
    opened = libvirt.open(ADDRESS)
    try:
        for number in range(VMS):
            opened.defineXML(definition(vm(number), OWNER, Accel.TEST)).create()
        yield
    finally:
        opened.close()
        event_thread.release()


async def _listed(store: Store) -> list[Figure]:
    await store.write(lambda db: vm_hosts.add(db, KnownHost(HostId(0), "one", ADDRESS, WALL)))
    rooms = HostRooms(store, time.time, Surroundings(OWNER), lambda: False)
    looking = Looking(rooms)
    try:
        found = await looking.everything()
        assert len(found.vms) >= VMS, len(found.vms)
        listed = await _timed(f"{VMS} VMs listed with live state", looking.everything, MOST_LISTED)
        driver = rooms.driver((await rooms.known())[0])
        return [listed, await _timed(f"{VMS} VMs counted, by libvirt's driver for tests", driver.statistics, None)]
    finally:
        await rooms.close()


async def _timed(what: str, call: Callable[[], Awaitable[Any]], most: float | None) -> Figure:
    taken, busy = [], []
    for _ in range(ROUNDS):
        gc.collect()
        begin, begun = time.perf_counter(), time.process_time()
        await call()
        taken.append((time.perf_counter() - begin) * 1000)
        busy.append((time.process_time() - begun) * 1000)
    say(f"{what}: {median(taken):.1f} ms, {median(busy):.1f} ms of them busy")
    detail = f"{min(taken):.1f} to {max(taken):.1f} ms, {ROUNDS} times; {median(busy):.1f} ms of processor time"
    return Figure(NAME, what, median(taken), "ms", most, detail)


async def _sampled(store: Store) -> list[Figure]:
    """Samples of twenty minutes, in the memory for an hour of them; and a week on the disk."""
    known, before = Known(), _memory()
    taken = [_round(known, number) for number in range(COARSE // EVERY)]
    held = (_memory() - before) / 1e6
    round_of_all = Figure(
        NAME, f"one sample of {VMS} VMs, every {EVERY} s", median(taken), "ms of a core", MOST_ROUND,
        f"{min(taken):.1f} to {max(taken):.1f} ms, {len(taken)} times",
    )  # fmt: skip
    wall = WALL + COARSE - 1
    keeping, history = Keeping(store), VmHistory(store, known)
    await keeping.write(known.series, wall)
    empty = await store.read(_size)
    await store.write(lambda db: _fill(db, wall))
    kept = (await store.read(_size) - empty) / 1e6
    week = await _timed(
        f"a week of one of {VMS} VMs read", lambda: history.of(KEYS[7], Span.WEEK, float(COARSE), wall), MOST_WEEK
    )
    say(f"one round {round_of_all.value:.1f} ms, {held:.1f} MB held, {kept:.0f} MB on the disk")
    return [
        round_of_all,
        Figure(NAME, f"memory for the last hour of {VMS} VMs", held, "MB", MOST_MEMORY),
        Figure(NAME, f"a week of {VMS} VMs on the disk", kept, "MB", MOST_KEPT),
        week,
    ]


def _round(known: Known, number: int) -> float:
    """Milliseconds of processor time."""
    counted = [used(each, number * 10.0) for each in range(VMS)]
    begin = time.thread_time()
    known.take("one", counted, number * 10.0, WALL + number * 10.0)
    return (time.thread_time() - begin) * 1000


def _fill(db: Any, wall: float) -> None:
    """A week of everything, as it is after a week."""
    point = packed([sampled((1.0,) * len(FIGURES))])
    sql = "INSERT OR REPLACE INTO vm_statistics(step, start, vm, points) VALUES(?,?,?,?)"
    now = int(wall // COARSE) * COARSE
    for step, seconds, count in ((COARSE, WEEK, 1), (120, DAY, 10)):
        starts = range(now - seconds, now, COARSE)
        db.executemany(sql, [(step, at, key, point * count) for at in starts for key in KEYS])


def _size(db: Any) -> int:
    """Bytes of the store."""
    pages, size = (db.execute(f"PRAGMA {each}").fetchone()[0] for each in ("page_count", "page_size"))
    return int(pages) * int(size)


def _memory() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
