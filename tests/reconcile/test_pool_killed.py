"""A daemon is killed in the middle of its work with volumes, again and again: nothing is left over, or lost."""

import asyncio
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from pool_world import PoolWorld

from appliance.store.store import open_store

CHURN = [sys.executable, "-m", "tests.reconcile.pool_churn"]
ROOT = Path(__file__).parent.parent.parent
MEMORY = Path("/dev/shm")
TIMES = 12


@pytest.fixture
def directory():
    """On no disk: it is the process that dies."""
    with tempfile.TemporaryDirectory(prefix="qrm-pools-", dir=MEMORY if MEMORY.is_dir() else None) as made:
        yield Path(made)


def killed_after(directory, lines):
    with subprocess.Popen([*CHURN, directory], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        done = [line for line, _ in zip(process.stdout, range(lines), strict=False)]
        time.sleep(random.uniform(0.0, 0.02))  # anywhere in the wish that follows
        process.kill()
    return done


async def settled(world):
    async with asyncio.timeout(60):
        while await world.works():
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_after_every_kill_all_that_was_asked_for_is_done_once(directory):
    for number in range(TIMES):
        assert killed_after(directory, 3 + number % 5)
        async with open_store(directory / "store.db") as store:
            world = PoolWorld(store)
            async with world.at_work():
                await settled(world)
                await world.watch.round()
                view = await world.seen("files")
            assert view.trouble == ""
            assert [(each.volume.name, each.volume.trouble) for each in view.volumes if each.volume.trouble] == []
            kept = {key: of.name for key, of in view.kept.items()}
            assert kept == {each.id: each.name for each in view.seen.volumes}
            made = [entry.subject for deed in ("create", "clone") for entry in await world.audited(f"volume.{deed}")]
            assert len(made) == len(set(made)), "each is noted once"
            assert await world.events("pool.trouble") == []
