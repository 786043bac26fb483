"""What users ask of deployments with roots on volumes, and what they are told before anything is lost."""

from dataclasses import replace

import pytest
from fleet_world import Played, code_of
from root_world import a_root_world
from test_root_volumes import comes_back, runs, starts

from appliance.delivery import root_needed
from appliance.errors import Conflict, Invalid, NotFound
from appliance.reconcile.changes import Changes, DeploymentChange
from appliance.reconcile.consequences import Action
from appliance.reconcile.wishes import MachineChange
from appliance.store import catalogue
from appliance.volume import PoolKind
from tests.people import ADA

GIB = 1 << 30


@pytest.fixture
async def world(tmp_path):
    async with a_root_world(tmp_path) as made:
        made.delivery = "iscsi"
        yield made


@pytest.fixture
def node(world):
    return Played(world, disks=[])


async def told(world, action):
    return await world.wishes.consequences("web-1", Action(action))


@pytest.mark.parametrize("action", ["release", "redeploy"])
async def test_that_its_root_volume_is_lost_is_said_by_name_and_size(world, node, action):
    await runs(world, node)
    root, said = await world.root(), await told(world, action)
    assert (
        f"its root volume {root.name}, {root.size / 1e9:.1f} GB, is deleted: everything on it is lost" in said.texts[0]
    )
    assert (said.confirm, said.destroys) == ("web-1", True)


async def test_a_start_and_a_stop_say_what_becomes_of_the_root(world, node):
    await node.usable()
    await world.deploy(image="live", delivery="iscsi")
    assert "from a root volume of the appliance" in (await told(world, "start")).texts[0]
    await world.act("start")
    assert "deploying" in (await told(world, "stop")).refused


async def test_a_stopped_one_starts_with_its_data(world, node):
    await runs(world, node)
    assert "exported to nobody" in (await told(world, "stop")).texts[0]
    await world.act("stop")
    await comes_back(world, node)
    assert (await told(world, "start")).texts == ("web-1 boots again from its root volume, with its data.",)


async def test_a_broken_machine_that_nobody_can_switch_off_loses_its_export_and_then_its_deployment(world, node):
    await runs(world, node)
    await world.wishes.change_machine((await node.seen()).id, MachineChange(broken=True), ADA)
    said = await told(world, "release")
    assert "ended at once" in said.texts[-1]
    assert "everything on it is lost" in said.texts[0]
    await world.act("release")
    assert (await world.deployment()).machine is None
    assert (world.kernel.exports, world.volumes, await world.rows()) == ({}, [], [])


async def test_the_pool_that_was_chosen_is_taken_and_the_size_that_was_asked_for(world, node):
    second = await world.pool("slow")
    await node.usable()
    await world.deploy(image="live", delivery="iscsi", pool="slow", root_size=10 * GIB)
    await world.act("start")
    root = await world.root()
    assert (root.pool, root.size) == (second.id, 10 * GIB)


async def test_a_root_is_as_large_as_what_it_is_cloned_from_at_least(world, node):
    world.golden_size = 20 * GIB
    await starts(world, node)
    assert (await world.root()).size == 20 * GIB
    assert len(world.kernel.exports) == 1


@pytest.mark.parametrize(
    ("asked", "error", "code", "field"),
    [
        ({"pool": "fast", "delivery": "ram"}, Invalid, "root-volume-unused", "pool"),
        ({"root_size": GIB, "delivery": "ram"}, Invalid, "root-volume-unused", "root_size"),
        ({"pool": "none-such", "delivery": "iscsi"}, NotFound, "pool-unknown", ""),
        ({"pool": "files", "delivery": "iscsi"}, Conflict, "pool-not-for-roots", "pool"),
        ({"root_size": -1, "delivery": "nfs"}, Invalid, "volume-size", "root_size"),
        ({"root_size": 1, "delivery": "nfs"}, Invalid, "root-size-small", "root_size"),
        ({"root_size": 1 << 60, "delivery": "nfs"}, Invalid, "volume-size", "root_size"),
    ],
)
async def test_what_cannot_be_a_root_is_refused(world, asked, error, code, field):
    await world.pool("files", PoolKind.DIRECTORY)
    with pytest.raises(error) as caught:
        await world.deploy(image="live", **asked)
    assert (caught.value.code, caught.value.field) == (code, field)


async def test_a_size_that_the_image_has_no_room_in_is_refused_with_the_least_that_it_has(world):
    image = await world.store.read(lambda db: catalogue.image(db, "live"))
    needed = root_needed(image)
    await world.deploy(image="live", delivery="nfs", root_size=needed)
    changes = Changes(world.store, world.bus, lambda: world.now)
    with pytest.raises(Invalid, match=r"it needs [0-9.]+ GiB") as caught:
        await changes.deployment("web-1", DeploymentChange(root_size=needed // 2), ADA)
    assert (caught.value.code, caught.value.field) == ("root-size-small", "root_size")
    assert "or leave the size out" in caught.value.hint
    await world.store.write(lambda db: catalogue.add_image(db, replace(image, name="large", size=needed)))
    with pytest.raises(Invalid, match="large has no room"):
        await changes.deployment("web-1", DeploymentChange(image="large"), ADA)
    await changes.deployment("web-1", DeploymentChange(image="large", root_size=0), ADA)


async def test_nothing_is_changed_while_a_root_is_made(world, node):
    await world.pool("slow")
    await starts(world, node)
    changes = Changes(world.store, world.bus, lambda: world.now)
    assert await code_of(Conflict, changes.deployment("web-1", DeploymentChange(pool="slow"), ADA)) == "deployment-busy"


async def test_a_wish_is_taken_back_by_leaving_it_empty(world):
    await world.deploy(image="live", delivery="nfs", pool="fast", root_size=GIB)
    changes = Changes(world.store, world.bus, lambda: world.now)
    after = await changes.deployment("web-1", DeploymentChange(pool="", root_size=0), ADA)
    assert (after.pool, after.root_size) == (None, None)
