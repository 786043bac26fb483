"""A daemon is killed while it makes golden volumes, again and again: each image has one, whole, and nothing is left."""

import asyncio
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pool_world import PoolWorld

from appliance.storage.directory import VOLUMES
from appliance.store import goldens, tasks
from appliance.store.store import open_store
from tests.filesystem.read_back import content, sound
from tests.programs_of_debian_13 import first_in_path
from tests.reconcile.golden_churn import MOTD, POOL

CHURN = [sys.executable, "-m", "tests.reconcile.golden_churn"]
ROOT = Path(__file__).parent.parent.parent
TIMES = 8


@pytest.fixture(autouse=True)
def programs(monkeypatch, tmp_path_factory):
    first_in_path(monkeypatch, tmp_path_factory.mktemp("programs"))


def killed(directory: Path) -> None:
    """Anywhere in what follows its beginning."""
    with subprocess.Popen([*CHURN, directory], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        time.sleep(random.uniform(0.0, 2.5))
        process.kill()


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_after_every_kill_each_image_has_one_that_is_whole(tmp_path: Path) -> None:
    for _ in range(TIMES):
        killed(tmp_path)
        async with open_store(tmp_path / "store.db") as store:
            world = PoolWorld(store, now=time.time(), state=tmp_path)
            async with world.at_work(), asyncio.timeout(120):
                while (
                    await world.works() or await store.read(tasks.open_jobs) or list((tmp_path / "filling").glob("*"))
                ):
                    await asyncio.sleep(0.02)
                view = await world.seen(POOL)
            kept = await store.read(lambda db, known=view.kept: [known[key] for key in known])
            found = {of.of: await store.read(lambda db, key=int(of.of): goldens.of_image(db, key)) for of in kept}
        assert [each.volume.name for each in view.volumes if each.volume.trouble] == []
        assert {each.volume.id for each in view.volumes} == {of.id for of in kept}
        assert all(len(each) == 1 for each in found.values()), "one for each image"
    files = list((tmp_path / "pool" / VOLUMES).glob("*.raw"))
    assert len(files) >= 1
    for file in files:
        assert sound(file)
        assert content(file, "/etc/motd") == MOTD
