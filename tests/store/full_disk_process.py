"""A store on a small file system of its own that is filled to the last byte: which rows can be written then.

Run in namespaces of its own (``unshare --user --map-root-user --mount``), with an empty directory. Prints what it saw.
"""

import asyncio
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from ipaddress import IPv4Address
from pathlib import Path

from appliance.lease import Lease, LeaseState
from appliance.store import accounts
from appliance.store.leases import StoredLeases
from appliance.store.store import open_store

ROWS, TURNS = 500, 3
MEGABYTE = 1 << 20


def fill(path):
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                pass


def lease(number, turn):
    """One of a machine that asks for it again, an hour later."""
    mac, begun = f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}", 1_763_859_600.125
    end = begun + 7200.5 + turn * 3600
    return Lease(mac, IPv4Address(0x0A4D0100 + number), "br0", b"\1abcdef", "node", begun, end, LeaseState.BOUND)


def large(key):
    return lambda db: accounts.put_setting(db, key, "z" * MEGABYTE)


async def main(directory):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", directory], check=True)
    path, filler = directory / "store.db", directory / "filler"
    async with open_store(path) as store:
        for number in range(ROWS):
            await StoredLeases(store).save([lease(number, 0)])
        await renew(store, filler, "used")
    async with open_store(path) as store:
        await renew(store, filler, "begun anew")
    with closing(sqlite3.connect(path)) as db:
        print("checked", db.execute("PRAGMA integrity_check").fetchone()[0])


async def renew(store, filler, log):
    """All of them, again and again; ``log`` says how the store's log is."""
    kept = StoredLeases(store)
    fill(filler)
    for turn in range(1, TURNS):  # what a log holds, several times over
        await kept.save([lease(number, turn) for number in range(ROWS)])
        for number in range(ROWS):
            await kept.save([lease(number, turn)])
    print("renewed, log", log, flush=True)
    both = await asyncio.gather(kept.save([lease(0, TURNS)]), store.write(large(log)), return_exceptions=True)
    print("together", both[0], getattr(both[1], "hint", both[1]), flush=True)
    filler.unlink()
    await store.write(large(log))
    ends = Counter(each.end for each in await kept.load())
    print("ends", sorted(ends.values()) == [1, ROWS - 1], max(ends) == lease(0, TURNS).end)


asyncio.run(main(Path(sys.argv[1])))
