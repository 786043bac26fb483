"""``python3 -m tests.guest.inside.measured ROUNDS``: how long storage takes by the helper's verbs, and by hand.

By hand is what an administrator would type, with nothing looked at before. Both in turns, and the other way round every
second time; what was made is taken away again at once. Seconds as JSON on standard output: by what is done, by whom.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from appliance.privileged.client import Privileged
from appliance.privileged.verbs.lvm_tags import FILE_SYSTEM
from appliance.privileged.verbs.nfs_exports import NfsGrant, NfsRevoke
from appliance.storage.build import Surroundings, driver
from appliance.storage.driver import PoolDriver
from appliance.volume import NewVolume, PoolKind, VolumeId
from tests.guest.inside import exports, lvm_pool
from tests.guest.inside.disks import Disks
from tests.guest.inside.programs import run

GOLDEN_BYTES = 100 << 30
WRITTEN_MIB = 256
"""Of the golden image; the rest has never been written."""
GOLDEN, CLONE, ROOT, BY_HAND = (VolumeId(f"{number:016x}") for number in (0x60, 0x61, 0x62, 0x63))
EXPORT = "00000000000000e1"
PLACE = Path("/run/by-hand")
OPTIONS = "rw,no_root_squash,no_subtree_check,sec=sys,fsid=99"

Seconds = dict[str, dict[str, list[float]]]
Way = tuple[str, Callable[[], Awaitable[object]], Callable[[], Awaitable[object]]]
"""Who does it, how it is done, and how it is taken back, which is not measured."""


async def program(*argv: str | Path) -> None:
    """As typed."""
    await asyncio.to_thread(run, *argv)


async def in_turns(ways: Sequence[Way], rounds: int) -> dict[str, list[float]]:
    """One round more than is told: the first finds nothing in the caches."""
    found: dict[str, list[float]] = {name: [] for name, _, _ in ways}
    for number in range(rounds + 1):
        for name, do, undo in reversed(ways) if number % 2 else ways:
            begun = time.monotonic()
            await do()
            found[name].append(time.monotonic() - begun)
            await undo()
    return {name: seconds[1:] for name, seconds in found.items()}


def cloning(pool: PoolDriver) -> list[Way]:
    """A clone of the golden image, and ``lvcreate -s`` by itself."""
    snapshot = ["lvcreate", "--yes", "--snapshot", "--setactivationskip", "n", "--name", "by-hand"]
    return [
        (
            "ours",
            lambda: pool.copy(GOLDEN, NewVolume(CLONE, "customer1", GOLDEN_BYTES)),
            lambda: pool.delete(CLONE),
        ),
        (
            "lvcreate -s",
            lambda: program(*snapshot, f"{lvm_pool.NAME}/v-{GOLDEN}"),
            lambda: program("lvremove", "--yes", f"{lvm_pool.NAME}/by-hand"),
        ),
    ]


def exporting(group: str) -> list[Way]:
    """A root that its machine may mount; the mount and the export that it takes; and of them the export alone."""
    helper, device, where = Privileged(), f"/dev/{lvm_pool.NAME}/v-{BY_HAND}", f"{exports.FOREIGN}:{PLACE}"

    async def mounted() -> None:
        await program("mount", "-o", "nosuid,nodev,noexec", device, PLACE)

    async def exported() -> None:
        await program("exportfs", "-i", "-o", OPTIONS, where)

    async def both() -> None:
        await mounted()
        await exported()

    async def ended() -> None:
        await program("exportfs", "-u", where)
        await program("umount", PLACE)

    grant = NfsGrant(EXPORT, group, ROOT, exports.WEB, exports.SERVER)
    return [
        ("ours", lambda: helper.call(grant), lambda: helper.call(NfsRevoke(EXPORT))),
        ("mount, exportfs", both, ended),
    ]


async def exportfs_alone(rounds: int) -> list[float]:
    """Of a directory that is mounted already: no more than a line for rpc.mountd, and a word to the kernel."""
    where = f"{exports.FOREIGN}:{PLACE}"
    await program("mount", "-o", "nosuid,nodev,noexec", f"/dev/{lvm_pool.NAME}/v-{BY_HAND}", PLACE)
    ways: list[Way] = [
        (
            "exportfs",
            lambda: program("exportfs", "-i", "-o", OPTIONS, where),
            lambda: program("exportfs", "-u", where),
        )
    ]
    found = await in_turns(ways, rounds)
    await program("umount", PLACE)
    return found["exportfs"]


async def golden(pool: PoolDriver) -> None:
    """A file system of 100 GiB with something in it, and two clones to be exported."""
    await pool.create(NewVolume(GOLDEN, "golden", GOLDEN_BYTES))
    device, tag = f"/dev/{lvm_pool.NAME}/v-{GOLDEN}", f"{FILE_SYSTEM}=ext4"
    run("mkfs.ext4", "-q", "-E", "nodiscard", device)
    PLACE.mkdir(exist_ok=True)
    run("mount", device, str(PLACE))
    (PLACE / "content").write_bytes(os.urandom(1 << 20) * WRITTEN_MIB)
    run("umount", str(PLACE))
    run("lvchange", "--yes", "--addtag", tag, f"{lvm_pool.NAME}/v-{GOLDEN}")
    for key in (ROOT, BY_HAND):
        await pool.copy(GOLDEN, NewVolume(key, f"root-{key}", GOLDEN_BYTES))


async def measure(rounds: int) -> Seconds:
    """All of it, on a pool that is made for it on the first scratch disk."""
    group = await lvm_pool.make(lvm_pool.computer(), Disks().scsi[:1], thin=True)
    pool = driver(PoolKind.LVM_THIN, group, Surroundings(Privileged(), time.time))
    await golden(pool)
    cloned = await in_turns(cloning(pool), rounds)
    exported = await in_turns(exporting(group), rounds)
    return {"clone": cloned, "export": {**exported, "exportfs": await exportfs_alone(rounds)}}


def main(rounds: int) -> None:
    """For the host; the guest is not used for anything else after it."""
    lvm_pool.as_appliance()
    exports.install()
    exports.connect()
    json.dump(asyncio.run(measure(rounds)), sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]))
