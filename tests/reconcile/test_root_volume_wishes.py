"""What users ask of deployments with roots on volumes, and what they are told before anything is lost."""

from dataclasses import replace

import pytest
from fleet_world import Played, code_of
from root_world import GOLDEN_UUID, a_root_world
from test_root_volumes import comes_back, runs, starts

from appliance.delivery import root_needed
from appliance.errors import Conflict, Invalid, NotFound
from appliance.pool import GoldenVolume, KnownVolume, Use
from appliance.reconcile.changes import Changes, DeploymentChange
from appliance.reconcile.consequences import Action
from appliance.reconcile.wishes import MachineChange
from appliance.store import catalogue, goldens, pools
from appliance.volume import PoolKind, VolumeId
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


async def test_a_root_is_as_large_as_what_it_is_cloned_from_and_that_is_said(world, node):
    world.golden_size = 20 * GIB
    await node.usable()
    await world.deploy(image="live", delivery="iscsi")
    before = (await told(world, "start")).texts[-1]
    assert before.startswith("It gets a root volume of 4.5 GiB in fast, or a larger one")
    await world.act("start")
    assert (await world.root()).size == 20 * GIB
    assert len(world.kernel.exports) == 1
    (larger,) = [each for each in await world.events("deployment.changed") if "larger than the 4.8 GB" in each.text]
    assert "21.5 GB" in larger.text
    assert "golden volume" in larger.reason


async def test_one_of_the_size_that_was_planned_is_nothing_to_tell_of(world, node):
    await starts(world, node)
    assert not [each for each in await world.events("deployment.changed") if "larger" in each.text]


async def test_a_size_that_was_asked_for_is_not_exceeded_silently(world, node):
    world.golden_size = 20 * GIB
    await node.usable()
    await world.deploy(image="live", delivery="iscsi", root_size=10 * GIB)
    assert "10.0 GiB in fast; where the files" in (await told(world, "start")).texts[-1]
    await world.act("start")
    failed = await node.seen()
    assert failed.failed_code == "root-size-small"
    assert "it needs 20.0 GiB" in failed.failed_reason
    assert (world.volumes, world.kernel.exports) == ([], {})
    await Changes(world.store, world.bus, lambda: world.now).deployment("web-1", DeploymentChange(root_size=0), ADA)
    await world.act("retry")
    assert (await world.root()).size == 20 * GIB


async def golden_of(world, size):
    """The image has a golden volume in the pool, as large as that."""
    image, pool = await world.store.read(lambda db: (catalogue.image(db, "live"), pools.get(db, "fast")))
    made = GoldenVolume(VolumeId("a" * 16), pool.id, image.id, image.stored_sha256, GOLDEN_UUID, size)

    def job(db):
        pools.put_volume(db, KnownVolume(made.volume, pool.id, "golden-live", Use.IMAGE, str(image.id), golden=True))
        goldens.put(db, made)

    await world.store.write(job)


async def test_what_the_files_take_is_known_once_there_is_a_golden_volume(world, node):
    await node.usable()
    await world.deploy(image="live", delivery="nfs")
    await golden_of(world, GIB)
    assert (await told(world, "start")).texts[-1] == "It gets a root volume of 4.5 GiB in fast."
    await golden_of(world, 20 * GIB)
    assert (await told(world, "start")).texts[-1] == (
        "It gets a root volume of 20.0 GiB in fast, as large as the golden volume that it is cloned from."
    )


async def test_a_start_is_refused_where_the_golden_volume_is_larger_than_what_was_asked_for(world, node):
    await node.usable()
    await world.deploy(image="live", delivery="nfs", root_size=10 * GIB)
    await golden_of(world, 20 * GIB)
    refused = (await told(world, "start")).refused
    assert "it needs 20.0 GiB; ask for 20.0 GiB or more, or leave the size out" in refused
    assert await code_of(Conflict, world.act("start")) == "action-refused"
    assert (await world.deployment()).machine is None


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
