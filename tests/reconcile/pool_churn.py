"""Wishes for volumes of a directory, through a store, for as long as nobody kills it.

python -m tests.reconcile.pool_churn DIRECTORY     a line for each wish that was fulfilled, by the name of a volume
"""

import asyncio
import random
import sys
import time
from pathlib import Path

from appliance.errors import Conflict, NotFound
from appliance.reconcile.pool_wishes import PoolWish
from appliance.reconcile.volume_wishes import VolumeWish
from appliance.store.store import open_store
from appliance.volume import GRAIN, PoolKind
from tests.people import ADA
from tests.reconcile.pool_world import PoolWorld

POOL = "files"


async def begun(world, place):
    place.mkdir(exist_ok=True)
    await world.ended(await world.pools.make(PoolWish(POOL, PoolKind.DIRECTORY, str(place)), None, ADA))
    await world.ended_or_done(await world.volumes.create(POOL, VolumeWish("web", GRAIN), ADA))
    await world.ended_or_done(await world.volumes.snapshot(POOL, "web", VolumeWish("monday"), ADA))


async def wish(world, chance):
    """One of a few, of volumes that may be there or not."""
    volumes, some = world.volumes, f"v{chance.randrange(8)}"
    deeds = [
        lambda: volumes.create(POOL, VolumeWish(some, GRAIN), ADA),
        lambda: volumes.clone(POOL, "monday", VolumeWish(some), ADA),
        lambda: volumes.grow(POOL, some, 2 * GRAIN, ADA),
        lambda: volumes.rename(POOL, some, f"v{chance.randrange(8)}", ADA),
        lambda: volumes.delete(POOL, some, some, ADA),
        lambda: volumes.roll_back(POOL, "web", "monday", "web", ADA),
    ]
    try:
        await world.ended_or_done(await chance.choice(deeds)())
    except (Conflict, NotFound):
        return
    print(some, flush=True)


async def main(directory):
    chance = random.Random(time.time_ns())
    async with open_store(directory / "store.db") as store:
        world = PoolWorld(store, now=time.time())
        async with world.at_work():
            if not await world.views.pools():
                await begun(world, directory / "pool")
            while True:
                await wish(world, chance)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
