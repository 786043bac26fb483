"""A fleet whose roots are on volumes: a pool in memory, golden volumes, and a kernel that exports what it is told."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from fleet_world import SERVER, World

from appliance.errors import ApplianceError, Conflict
from appliance.pool import KnownPool
from appliance.privileged.verbs.exports import Exported, Exports, Granted, List, Revoked
from appliance.privileged.verbs.iscsi_exports import IscsiGrant, IscsiRevoke
from appliance.privileged.verbs.nfs_exports import NfsGrant, NfsRevoke
from appliance.reconcile.pool_rooms import Rooms
from appliance.reconcile.root_volumes.exporting import Exporting, Site
from appliance.reconcile.root_volumes.keeping import Keeping
from appliance.reconcile.root_volumes.loop import RootVolumes
from appliance.reconcile.root_volumes.steps import Steps
from appliance.root_volume import server_for
from appliance.storage.build import Surroundings
from appliance.storage.memory import Memory
from appliance.store import attempts, pools, root_volumes
from appliance.store.sealing import Sealer
from appliance.store.store import open_store
from appliance.volume import NewVolume, PoolId, PoolKind, VolumeId

GIB = 1 << 30
GOLDEN_UUID = "12345678-1234-1234-1234-123456789abc"
SITE = Site("lab.test", lambda address: server_for(address, [(SERVER, IPv4Network("10.77.0.0/24"))]))


class Killed(BaseException):
    """The daemon ends here: nobody handles it."""


@dataclass
class Fuse:
    """Counts moments at which a daemon can be killed."""

    passed: int = 0
    burns_at: int | None = None

    def moment(self):
        if self.burns_at is not None:
            self.passed += 1
            if self.passed > self.burns_at:
                raise Killed


class Fused:
    """The store for whoever is killed before or after a transaction."""

    def __init__(self, store, fuse):
        self._store, self._fuse = store, fuse
        self.read = store.read

    async def write(self, *job):
        self._fuse.moment()
        result = await self._store.write(*job)
        self._fuse.moment()
        return result


@dataclass
class Kernel:
    """The privileged helper with a kernel behind it: outlives every daemon, and forgets all when it restarts."""

    exports: dict = field(default_factory=dict)
    """Grants by the ids of their exports, as they were made last."""
    others: list = field(default_factory=list)
    """Exports that somebody else has made."""
    asked: list = field(default_factory=list)
    refusing: dict = field(default_factory=dict)
    """By the name of a verb: what is raised in its place."""
    opened: Callable = lambda _: None
    """Told the volumes that it has open now: nobody can delete those."""
    fuse: Fuse = field(default_factory=Fuse)

    async def call(self, verb, hears=None):
        await asyncio.sleep(0)
        self.asked.append(verb)
        if (error := self.refusing.get(verb.name)) is not None:
            raise error
        self.fuse.moment()
        answer = self._done(verb)
        self.opened({each.volume for each in self.exports.values()})
        self.fuse.moment()
        return answer

    def _done(self, verb):
        match verb:
            case List():
                return Exports((*map(self._shown, self.exports.values()), *self.others), (SERVER,))
            case NfsGrant() | IscsiGrant():
                self._grant(verb)
                return Granted(verb.server, f"/{verb.id}")
            case NfsRevoke() | IscsiRevoke():
                self.exports.pop(verb.id, None)
                return Revoked()
        raise AssertionError(verb)

    def _grant(self, verb):
        there = self.exports.get(verb.id)
        if there is not None and _to(there) != _to(verb):
            raise Conflict("export-other", f"export {verb.id} is granted for something else")
        if any(each.volume == verb.volume and each.id != verb.id for each in self.exports.values()):
            raise Conflict("volume-busy", "somebody else has it")
        self.exports[verb.id] = verb

    def _shown(self, verb):
        kind = "nfs" if isinstance(verb, NfsGrant) else "iscsi"
        return Exported(kind, ours=True, id=verb.id, volume=verb.volume, client=_to(verb), whole=verb.serve)


def _to(verb):
    return verb.address if isinstance(verb, NfsGrant) else f"{verb.initiator} {verb.server}"


@dataclass(frozen=True)
class Gold:
    volume: VolumeId
    fs_uuid: str
    size: int


@dataclass
class RootWorld(World):
    kernel: Kernel = field(default_factory=Kernel)
    memories: dict = field(default_factory=dict)
    site: Site = SITE
    golden_size: int = GIB
    made: list = field(default_factory=list)
    """Images for which a golden volume was made."""

    def __post_init__(self):
        super().__post_init__()
        self.begin()

    def begin(self):
        """A daemon that has just started: nothing of the one before is in memory."""
        self.fuse = self.kernel.fuse
        self.kernel.opened = self._opened
        shared = (Fused(self.store, self.fuse), self.bus, lambda: self.now)
        self.rooms = Rooms(*shared, Surroundings(self.kernel, lambda: self.now, self.memories))
        exporting = Exporting(self.kernel, Sealer(bytes(32)))
        self.steps = Steps(*shared, self.rooms, exporting, Sealer(bytes(32)), self.site, self.golden)
        self.keeping = Keeping(*shared, exporting, self.site, self.steps)
        self.roots = RootVolumes(*shared, self.steps, self.keeping)

    def _opened(self, volumes):
        for memory in self.memories.values():
            memory.opened = volumes & set(memory.kept)

    async def golden(self, image, pool, hears):
        key = VolumeId(f"{image.id:016x}")
        hears(0.5, f"filling {image.name}")
        async with self.rooms.held(pool) as on:
            if (await on.look()).volume(key) is None:
                await on.create(NewVolume(key, f"golden-{image.name}", self.golden_size, read_only=True))
                self.made.append(image.name)
                self.fuse.moment()
        return Gold(key, GOLDEN_UUID, GIB)

    async def pool(self, name="fast", kind=PoolKind.MEMORY):
        self.memories.setdefault(name, Memory())
        return await self.store.write(lambda db: pools.add(db, KnownPool(PoolId(0), name, kind, name, self.now)))

    @property
    def volumes(self):
        """Of all pools: what was made for deployments, by name."""
        kept = [each.new for memory in self.memories.values() for each in memory.kept.values()]
        return sorted(each.name for each in kept if each.name.startswith("root-"))

    async def rows(self):
        return await self.store.read(root_volumes.every)

    async def root(self, name="web-1"):
        deployment = await self.deployment(name)
        return await self.store.read(lambda db: root_volumes.of_deployment(db, deployment.id))

    async def look(self):
        """The turn of both loops."""
        await self.loop.round()
        await self.roots.look()

    async def act(self, action, name="web-1", confirm=None):
        number = await super().act(action, name, confirm)
        await self.roots.look()
        return number

    async def live(self):
        return await self.store.read(attempts.live)


@asynccontextmanager
async def a_root_world(path):
    async with open_store(path / "store.db") as store:
        world = RootWorld(store)
        await world.image(200 << 20, "live", "squashfs")
        await world.pool()
        yield world


def trouble(code="storage-failed", text="LVM said no"):
    return ApplianceError(code, text, "look at the disks")
