"""A golden volume of an image, made in a directory and then clones of it, for as long as nobody kills it.

python -m tests.reconcile.golden_churn DIRECTORY     a line for each golden volume that is there
"""

import asyncio
import hashlib
import os
import sys
import tarfile
import time
from pathlib import Path

from appliance.catalogue import Image, ImageId
from appliance.errors import NotFound
from appliance.reconcile.pool_wishes import PoolWish
from appliance.store import catalogue, pools
from appliance.store.store import open_store
from appliance.volume import PoolKind
from tests.imageformat.image_files import entry, tar
from tests.people import ADA
from tests.reconcile.pool_world import PoolWorld

POOL, MOTD = "files", b"hello"


def root() -> bytes:
    """Of a few MiB, so that there is time to be killed."""
    folders = [(entry(f"./{name}", tarfile.DIRTYPE), b"") for name in ("etc", "usr", "usr/bin")]
    many = [(entry(f"./usr/bin/{number}", content=bytes(100_000)), os.urandom(100_000)) for number in range(150)]
    return tar(*folders, *many, (entry("./etc/motd", content=MOTD), MOTD))


async def listed(world: PoolWorld, name: str) -> Image:
    """An image of that name, with its content."""
    try:
        return await world.store.read(lambda db: catalogue.image(db, name))
    except NotFound:
        data = root()
    new = Image(ImageId(0), name, "", "tar", len(data), len(data), hashlib.sha256(data).hexdigest(), 512, world.now)
    place = world.state / "images"
    place.mkdir(exist_ok=True)
    part = place / f"{name}.part"
    part.write_bytes(data)

    def job(db):
        stored = catalogue.add_image(db, new)
        part.rename(place / str(stored.id))
        return stored

    return await world.store.write(job)


async def main(directory: Path) -> None:
    async with open_store(directory / "store.db") as store:
        world = PoolWorld(store, now=time.time(), state=directory)
        async with world.at_work():
            if not await world.views.pools():
                (directory / "pool").mkdir(exist_ok=True)
                wish = PoolWish(POOL, PoolKind.DIRECTORY, str(directory / "pool"))
                await world.ended(await world.pools.make(wish, None, ADA))
            print("begun", flush=True)
            pool = await store.read(lambda db: pools.get(db, POOL))
            for number in range(1000):
                image = await listed(world, f"web{number}")
                golden = await world.goldens.golden(image, pool)
                print(golden.volume, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
