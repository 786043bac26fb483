"""Pools of memory, and LVM on paper, over a real store; the daemon may be killed and started again."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from appliance.events import Bus
from appliance.pool import Deed
from appliance.privileged.verb import Done
from appliance.privileged.verbs.lvm import THIN_POOL_NAME, Group, Logical, Member, Report
from appliance.privileged.verbs.lvm_tags import POOL, THIN_POOL
from appliance.reconcile.goldens import Goldens
from appliance.reconcile.jobs import JobKind, Jobs
from appliance.reconcile.pool_asking import Asking
from appliance.reconcile.pool_jobs import run as run_job
from appliance.reconcile.pool_rooms import Rooms
from appliance.reconcile.pool_views import PoolViews
from appliance.reconcile.pool_watch import PoolWatch
from appliance.reconcile.pool_wishes import Pools, PoolWish
from appliance.reconcile.pool_work import PoolWork
from appliance.reconcile.volume_wishes import Volumes, VolumeWish, new_id
from appliance.storage.build import Surroundings
from appliance.storage.memory import Memory, MemoryPool
from appliance.store import audit, events, pools, tasks
from appliance.store.listing import Asked, page
from appliance.volume import PoolKind
from tests.people import ADA

GIB = 1 << 30
UUID = "AAAAAA-bbbb-cccc-dddd-eeee-ffff-GGGGGG"


def group(data=10.0, metadata=10.0, free=0, *, name="fast", uuid=UUID, tags=(POOL,), missing=False, volumes=()):
    """A group with a thin pool of 100 GiB, so many percent full, and so many bytes left."""
    thin = Logical(
        "lv", THIN_POOL_NAME, 100 * GIB, (THIN_POOL,), "thin,pool", attributes="twi-aotz--", data=data,
        metadata=metadata, metadata_size=GIB,
    )  # fmt: skip
    return Group(
        uuid, name, tuple(tags), 100 * GIB + free, free, 4 << 20,
        members=(Member("pv", "/dev/sdb", 100 * GIB, missing),), volumes=(thin, *volumes),
    )  # fmt: skip


@dataclass
class Helper:
    """The privileged helper: says what groups there are, and notes what else it is asked."""

    groups: list[Group] = field(default_factory=list)
    asked: list = field(default_factory=list)
    answers: dict = field(default_factory=dict)
    """By the name of a verb: what it gives, raises, or does."""

    async def call(self, verb, hears=None):
        if isinstance(verb, Report):
            return list(self.groups)
        self.asked.append(verb)
        answer = self.answers.get(verb.name, Done())
        answer = answer(verb) if callable(answer) else answer
        if isinstance(answer, BaseException):
            raise answer
        return answer


@dataclass
class PoolWorld:
    store: object
    now: float = 1_795_200_000.0
    helper: Helper = field(default_factory=Helper)
    memories: dict = field(default_factory=dict)
    state: Path = Path("/nonexistent")
    """With images, for those who make volumes of them."""
    bus: Bus = field(default_factory=Bus)

    def __post_init__(self):
        self.begin()

    def begin(self):
        """A daemon that has just started: nothing of the one before is in memory."""
        shared = (self.store, self.bus, lambda: self.now)
        self.on = Surroundings(self.helper, lambda: self.now, self.memories, self.state)
        self.rooms = Rooms(*shared, self.on)
        self.work, self.views = PoolWork(*shared, self.rooms), PoolViews(self.store, self.rooms)
        asking = Asking(*shared, self.work)
        self.pools, self.volumes = Pools(asking, self.views, self.rooms), Volumes(asking, self.views)
        self.goldens = Goldens(*shared, self.rooms, asking, new_id)
        self.watch = PoolWatch(*shared, self.rooms, self.work)
        kinds = {
            deed.value: JobKind(lambda running: run_job(self.work, running), deed is not Deed.REPAIR, True)
            for deed in Deed
        }
        self.jobs = Jobs(*shared, kinds)

    @asynccontextmanager
    async def at_work(self):
        async with asyncio.TaskGroup() as group:
            loops = [group.create_task(each) for each in (self.work.run(), self.jobs.run())]
            yield self
            for each in loops:
                each.cancel()

    async def made(self, name="fast", **more):
        """A pool of memory."""
        task = await self.pools.make(PoolWish(name, PoolKind.MEMORY, name, **more), None, ADA)
        await self.ended(task)
        return self.memories.setdefault(name, Memory())

    def driver(self, name="fast"):
        return MemoryPool(self.memories[name], lambda: self.now)

    async def volume(self, name, size=GIB, pool="fast", **more):
        done = await self.volumes.create(pool, VolumeWish(name, size, **more), ADA)
        return done.volume

    async def seen(self, pool="fast"):
        return await self.views.pool(pool)

    async def ended(self, task):
        with self.bus.subscribe() as subscription:
            while (found := await self.store.read(lambda db: tasks.get(db, task.id))).open:
                async with asyncio.timeout(20):
                    await subscription.get()
        return found

    async def ended_or_done(self, done):
        if done.task:
            await self.ended(done.task)

    async def works(self):
        return await self.store.read(pools.works)

    async def events(self, kind):
        found = await self.store.read(lambda db: events.query(db, limit=1000))
        return [event for event in reversed(found) if event.kind == kind]

    async def audited(self, action):
        found = await self.store.read(lambda db: page(db, audit.LISTING, Asked({"action": action})))
        return [audit.entry_of(row) for row in found.rows]
