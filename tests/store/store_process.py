"""Writes numbers and prints each once the store said that it is kept, until killed."""

import asyncio
import sys
from pathlib import Path

from appliance.store import accounts
from appliance.store.store import open_store


async def main(path):
    async with open_store(path) as store, asyncio.TaskGroup() as tasks:

        async def writing(lane):
            for number in range(100_000):
                await store.write(lambda db, n=number: accounts.put_setting(db, f"{lane}.{n}", "1"))
                print(f"{lane}.{number}", flush=True)

        for lane in range(8):
            tasks.create_task(writing(lane))


asyncio.run(main(Path(sys.argv[1])))
