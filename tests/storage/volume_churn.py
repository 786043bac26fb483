"""Volumes made, cloned, rolled back, grown and deleted in a directory for as long as nobody pulls the plug.

python -m tests.storage.volume_churn begin DIRECTORY     makes the pool, and what is worked on
python -m tests.storage.volume_churn go-on DIRECTORY     until it is killed; a line for each round
python -m tests.storage.volume_churn check DIRECTORY     mends, and says "whole" where all that is there is right
"""

import asyncio
import os
import sys
from itertools import count
from pathlib import Path

from appliance.storage.directory import VOLUMES, DirectoryPool, prepare
from appliance.volume import GRAIN, Filling, NewVolume, VolumeId
from tests.contract.directory_bench import DirectoryBench

WEB, KEPT = NewVolume(VolumeId("a" * 16), "web", GRAIN), NewVolume(VolumeId("b" * 16), "kept", GRAIN, True)
MARKED = 64 << 10
"""Bytes at the begin of everything here that say that it is what was kept."""
LATER = b"later"
"""Written over the begin of the volume, until it is rolled back."""


def pool_in(place):
    return DirectoryPool(place, room=lambda _: Filling(1 << 30, 0))


def mark():
    return bytes(range(256)) * (MARKED // 256)


def write(path, at, data):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


async def begin(place):
    prepare(place)
    pool = pool_in(place)
    await pool.create(WEB)
    write(place / VOLUMES / f"{WEB.id}.raw", 0, mark())
    await pool.copy(WEB.id, KEPT)


async def go_on(place):
    pool = pool_in(place)
    await pool.mend()
    for number in count(len((await pool.look()).volumes)):
        clone, fresh = VolumeId(f"{2 * number:016x}"), VolumeId(f"{2 * number + 1:016x}")
        write(place / VOLUMES / f"{WEB.id}.raw", 0, LATER)
        await pool.copy(KEPT.id, NewVolume(clone, f"clone{number}", GRAIN))
        await pool.roll_back(WEB.id, KEPT.id)
        await pool.create(NewVolume(fresh, f"fresh{number}", GRAIN))
        await pool.grow(fresh, 2 * GRAIN)
        await pool.rename(clone, f"shop{number}")
        await pool.delete(clone)
        await pool.delete(fresh)
        print(number, flush=True)


async def check(place, aside):
    """Each volume is whole, with what belongs into it, and no file is left that belongs to none."""
    bench = DirectoryBench.over(place, aside)
    await bench.pool().mend()
    assert await bench.pool().mend() == ()
    seen = await bench.pool().look()
    assert {WEB.id, KEPT.id} <= {each.id for each in seen.volumes}
    assert bench.things() == 2 * len(seen.volumes)
    assert seen.foreign == ()
    for each in seen.volumes:
        assert not each.trouble, each
        begin = bench.read(each, 0, MARKED)
        allowed = (bytes(MARKED),) if each.name.startswith("fresh") else (mark(),)
        assert begin in (allowed if each.id != WEB.id else (mark(), LATER + mark()[len(LATER) :])), each
        assert bench.read(each, MARKED, each.size) == bytes(each.size - MARKED), each
        if each.id not in (WEB.id, KEPT.id):
            await bench.pool().delete(each.id)
    print("whole")


if __name__ == "__main__":
    what, where = sys.argv[1], Path(sys.argv[2])
    if what == "check":
        asyncio.run(check(where, where))
    else:
        asyncio.run({"begin": begin, "go-on": go_on}[what](where))
