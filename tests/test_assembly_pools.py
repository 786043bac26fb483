"""What works with pools is imported once there is one, or somebody asks: a daemon at rest does without it."""

import asyncio
import subprocess
import sys
from types import SimpleNamespace

import pytest

from appliance.assembly.pools import Storage
from appliance.events import Bus
from appliance.pool import Deed, KnownPool
from appliance.store import pools
from appliance.store.store import open_store
from appliance.task import Task, TaskId, prospect
from appliance.volume import PoolId, PoolKind

LOADED = "import appliance.daemon, appliance.assembly.build, sys; print(*sys.modules)"


def test_a_daemon_at_rest_has_not_loaded_it():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "appliance.assembly.pools" in loaded
    rooms = ("appliance.storage.", "appliance.reconcile.pool_", "appliance.reconcile.root_volumes.")
    # Its words are few, and deployments say in which pool their roots are; what opens their secrets is small.
    loaded = [name for name in loaded if name != "appliance.reconcile.root_volumes.sealed"]
    assert [name for name in loaded if name.startswith(rooms)] == []


@pytest.mark.parametrize("known", [False, True])
async def test_its_loops_rest_until_there_is_a_pool_or_somebody_asks(tmp_path, known):
    async with open_store(tmp_path / "store.db") as store:
        config = SimpleNamespace(site=SimpleNamespace(domain="lab.test"))
        on = SimpleNamespace(store=store, bus=Bus(), clock=lambda: 5.0, state=tmp_path, config=config, subnets=())
        storage = Storage(on)
        if known:
            pool = KnownPool(PoolId(0), "fast", PoolKind.MEMORY, "fast", 5.0)
            await store.write(lambda db: pools.add(db, pool))
        async with asyncio.TaskGroup() as group:
            loops = [group.create_task(run()) for run in storage.loops().values()]
            while not known and not storage._needed._waiters:
                await asyncio.sleep(0)
            if not known:
                assert "parts" not in vars(storage)
                assert await storage.parts.views.pools() == []
            async with asyncio.timeout(20):
                while "parts" not in vars(storage):
                    await asyncio.sleep(0.01)
            for each in loops:
                each.cancel()


def test_every_deed_has_its_task_and_its_words():
    kinds = Storage(SimpleNamespace()).jobs()
    assert set(kinds) == {str(deed) for deed in Deed}
    assert not kinds["pool.repair"].resumes
    for deed in Deed:
        said = prospect(Task(TaskId(1), str(deed), "x", "ada", 5.0, job=True), None).text
        long = deed not in (Deed.RENAME, Deed.DELETE)
        assert (said != "What is done stays done; the rest is left as it is.") is long
