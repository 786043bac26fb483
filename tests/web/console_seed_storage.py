"""Pools to look at: thin LVM that fills up, memory to try, a missing one, a group that is nobody's; all on paper."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from appliance.events import Bus
from appliance.pool import KnownPool, KnownVolume, Use
from appliance.privileged.verb import Done
from appliance.privileged.verbs.disks import DiskState, List, PartitionState
from appliance.privileged.verbs.lvm import THIN_POOL_NAME, Group, Logical, Member, Report
from appliance.privileged.verbs.lvm_repair import Examine, Examined
from appliance.privileged.verbs.lvm_tags import POOL, THIN_POOL
from appliance.reconcile.jobs import JobKind, Running
from appliance.reconcile.pool_jobs import run
from appliance.reconcile.pool_parts import PoolParts, pool_parts
from appliance.storage.build import Surroundings
from appliance.storage.memory import Memory, MemoryPool
from appliance.store import pools
from appliance.store.store import Store
from appliance.task import STORAGE
from appliance.volume import NewVolume, PoolId, PoolKind, VolumeId

GIB = 1 << 30
FAST, LAB, ARCHIVE = 1, 2, 3
"""Numbers of the pools."""
FAST_UUID, OLD_UUID = "AAAAAA-bbbb-cccc-dddd-eeee-ffff-GGGGGG", "OOOOOO-bbbb-cccc-dddd-eeee-ffff-DDDDDD"
GONE_UUID = "GGGGGG-bbbb-cccc-dddd-eeee-ffff-NNNNNN"
WEBSERVER, CUSTOMER, KEPT, SPARE = (VolumeId(f"{number:016x}") for number in (0xA1, 0xA2, 0xA3, 0xA4))
"""Volumes of LAB: the golden image, its clone, the clone's snapshot, one that nobody uses."""
LOST = VolumeId(f"{0xB9:016x}")
DISKS = [
    DiskState("sda", "Samsung SSD 870", "S5Y1NG0N", "0x5002538", 500_107_862_016, "sata", False, False,
              ["sda1: vfat 'ESP'", "sda2: ext4 'state'"], True, "/state"),
    DiskState("sdb", "WDC WD4003FRYZ", "WD-B1", "0x50014ee2", 4_000_787_030_016, "sata", True, False, [], False),
    DiskState("sdc", "WDC WD4003FRYZ", "WD-C2", "0x50014ee3", 4_000_787_030_016, "sata", True, False,
              ["sdc1: ext4 'backup'", "sdc2: ntfs 'Data'"], False, "",
              [PartitionState("sdc1", "0c2e-01", 1_000_204_886_016, ["sdc1: ext4 'backup'"]),
               PartitionState("sdc2", "0c2e-02", 3_000_582_144_000, ["sdc2: ntfs 'Data'"])]),
    DiskState("sdd", "SanDisk Ultra", "", "", 32_015_679_488, "usb", False, True, ["sdd: vfat"], False),
]  # fmt: skip
"""The appliance's own, an empty one, one with partitions, a stick without a serial number."""


def _volume(key: int, name: str, size: int, data: float, *, attributes: str = "Vwi-a-tz--", **tags: str) -> Logical:
    identity = f"{key:016x}"
    noted = {"id": identity, "name": name, **tags}
    return Logical(
        f"uuid-{name}", f"v-{identity}", size, tuple(f"qrm.{word}={value}" for word, value in noted.items()),
        "thin,sparse", THIN_POOL_NAME, attributes, f"/dev/fast/v-{identity}", data=data,
    )  # fmt: skip


def fast(now: float) -> Group:
    """86 percent full, overcommitted, with something in it that is not ours."""
    thin = Logical(
        "thin", THIN_POOL_NAME, 400 * GIB, (THIN_POOL,), "thin,pool", attributes="twi-aotz--", data=86.2, metadata=41.0,
        metadata_size=4 * GIB,
    )  # fmt: skip
    made = {"created": str(int(now - 9e5))}
    volumes = (
        _volume(0xB1, "debian-13", 40 * GIB, 61.0, attributes="Vri-a-tz--", **made),
        *(_volume(0xC0 + n, f"shop-{n}", 120 * GIB, 20.0 + n, attributes="Vwi-aotz--", origin=f"{0xB1:016x}", **made)
          for n in range(6)),
        _volume(0xB8, "old-db", 200 * GIB, 12.0, state="making", **made),
    )  # fmt: skip
    foreign = Logical("root", "root", 24 * GIB, (), "linear", attributes="-wi-ao----", path="/dev/fast/root")
    members = (Member("pv1", "/dev/nvme0n1p4", 300 * GIB), Member("pv2", "/dev/nvme1n1", 180 * GIB))
    return Group(FAST_UUID, "fast", (POOL,), 480 * GIB, 48 * GIB, 4 << 20, members=members,
                 volumes=(thin, *volumes, foreign))  # fmt: skip


def old() -> Group:
    """A group of somebody else."""
    member = Member("pv9", "/dev/sde", 900 * GIB)
    logical = Logical("home", "home", 500 * GIB, (), "linear", path="/dev/old/home")
    return Group(OLD_UUID, "old", (), 900 * GIB, 400 * GIB, 4 << 20, members=(member,), volumes=(logical,))


@dataclass
class PaperHelper:
    """The privileged helper: says what disks and groups there are, and notes what else it is asked."""

    groups: list[Group] = field(default_factory=list)
    disks: list[DiskState] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)

    async def call(self, verb: Any, hears: Any = None) -> Any:
        if isinstance(verb, Report):
            return list(self.groups)
        if isinstance(verb, List):
            return list(self.disks)
        self.asked.append(verb)
        return Examined(sound=True, said="", steps=()) if isinstance(verb, Examine) else Done()


def storage_over(store: Store, bus: Bus, clock: Callable[[], float]) -> Callable[[], PoolParts]:
    """What pages are given; its loops are run by whoever serves them."""
    parts = pool_parts(store, bus, clock, Surroundings(PaperHelper(), clock, {"lab": Memory(size=900 * GIB)}))
    return lambda: parts


def storage_jobs(parts: PoolParts) -> dict[str, JobKind]:
    """The tasks that the daemon does for pools."""

    async def job(running: Running) -> dict[str, Any]:
        return await run(parts.work, running)

    return {kind: JobKind(job, resumes=True, waits=True) for kind in STORAGE}


async def seed_storage(store: Store, parts: PoolParts, now: float) -> None:
    """Three pools and their volumes, a check that found damage, a group to adopt, disks to choose from."""
    helper = parts.rooms.on.helper
    assert isinstance(helper, PaperHelper)
    helper.groups, helper.disks = [fast(now), old()], list(DISKS)
    memory = parts.rooms.on.memory("lab")
    at = [now - 9e5]
    lab = MemoryPool(memory, lambda: at[0])
    await lab.create(NewVolume(WEBSERVER, "webserver", 40 * GIB))
    memory.write(WEBSERVER, 0, b"system" * 50_000)
    at[0] = now - 3600
    await lab.copy(WEBSERVER, NewVolume(CUSTOMER, "customer1", 60 * GIB))
    at[0] = now - 600
    await lab.copy(CUSTOMER, NewVolume(KEPT, "customer1-20261120-0300", 60 * GIB, read_only=True))
    memory.write(CUSTOMER, 0, b"written since" * 9_000)
    await lab.create(NewVolume(SPARE, "scratch", 10 * GIB))
    await store.write(lambda db: _seed(db, now))


def _seed(db: sqlite3.Connection, now: float) -> None:
    then = now - 86400 * 12
    pools.add(db, KnownPool(PoolId(0), "fast", PoolKind.LVM_THIN, FAST_UUID, then))
    pools.add(db, KnownPool(PoolId(0), "lab", PoolKind.MEMORY, "lab", then))
    pools.add(db, KnownPool(PoolId(0), "archive", PoolKind.LVM_THICK, GONE_UUID, then))
    kept = {
        WEBSERVER: KnownVolume(WEBSERVER, PoolId(LAB), "webserver", golden=True),
        CUSTOMER: KnownVolume(CUSTOMER, PoolId(LAB), "customer1", Use.DEPLOYMENT, "1"),
        KEPT: KnownVolume(KEPT, PoolId(LAB), "customer1-20261120-0300"),
        SPARE: KnownVolume(SPARE, PoolId(LAB), "scratch"),
        LOST: KnownVolume(LOST, PoolId(LAB), "lost-one"),
        VolumeId(f"{0xB1:016x}"): KnownVolume(VolumeId(f"{0xB1:016x}"), PoolId(FAST), "debian-13", golden=True),
    }
    for each in kept.values():
        pools.put_volume(db, each)
