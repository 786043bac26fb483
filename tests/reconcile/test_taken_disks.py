"""A disk is its deployment's from the moment that an agent has given up what was on it, wherever that is cut off."""

import pytest
from fleet_world import FULL, Played, a_world, disk, state

from appliance.reconcile.consequences import Action
from appliance.reconcile.outcome import deployment_taken
from appliance.store import deployments
from appliance.workflow import PREPARE, WIPE_DISK, WRITE
from tests.people import ADA

BEGUN = 0.0001
"""What an agent tells of a step that has marked the disk, and done no more."""


@pytest.fixture
async def world(tmp_path):
    async with a_world(tmp_path) as made:
        yield made


@pytest.fixture
def node(world):
    return Played(world, disks=[disk(content=FULL)])


async def clears(world, node, progress=BEGUN):
    """A deploy onto a disk with content, whose agent tells that and is heard of no more."""
    await node.usable()
    await world.deploy(disk="S1", wipe_on_release=True)
    await world.act("start")
    work = await node.work()
    assert (work.step, work.params["owned"]) == (PREPARE, False)
    await node.report(work, "running", progress=progress)


async def gives_up(world, node):
    """The attempt fails, as nothing is heard of it, and the machine comes back."""
    await world.passes(1300)
    assert await state(node) == "failed"
    await node.boots_stack()


async def is_owned(world):
    return (await world.deployment()).disk.owned


async def test_a_disk_that_was_only_looked_at_is_not_taken(world, node):
    """Its content may be another by now than what was agreed to: it must be refused once more."""
    await clears(world, node, progress=0.0)
    assert not await is_owned(world)
    await gives_up(world, node)
    await world.act("retry")
    assert (await node.work()).params["owned"] is False


async def test_a_cancelled_one_stays_taken(world, node):
    await node.usable()
    await world.deploy(disk="S1")
    task = await world.act("start")
    await node.report(await node.work(), "running", progress=BEGUN)
    await world.wishes.cancel_task(str(task), ADA)
    assert await is_owned(world)


async def test_one_that_was_cut_off_while_it_was_cleared_is_gone_on_with(world, node):
    await clears(world, node)
    assert await is_owned(world)
    await gives_up(world, node)
    await world.act("retry")
    work = await node.work()
    assert (work.step, work.params["owned"]) == (PREPARE, True)


async def test_it_is_wiped_when_it_is_released(world, node):
    """What was there was to go, and half of it is there still."""
    await clears(world, node)
    await gives_up(world, node)
    foreseen = await world.wishes.consequences("web-1", Action.RELEASE)
    assert (foreseen.destroys, "is wiped" in foreseen.texts[0]) == (True, True)
    await world.act("release")
    work = await node.work()
    assert (work.step, work.params["owned"]) == (WIPE_DISK, True)


@pytest.mark.parametrize(
    ("step", "progress", "taken"),
    [
        (PREPARE, BEGUN, True),
        (WIPE_DISK, BEGUN, True),
        (PREPARE, 0.0, False),
        (WIPE_DISK, 0.0, False),
        (WRITE, 1.0, False),
    ],
)
async def test_which_signs_take_it(world, node, step, progress, taken):
    """A wipe may lose the mark with all else: a disk that erases itself leaves noise that nobody has agreed to lose."""
    await clears(world, node, progress=0.0)
    before = await world.deployment()
    assert deployment_taken(before, step, progress).disk.owned is taken


async def test_without_a_disk_nothing_is_taken(world, node):
    await world.deploy()
    before = await world.deployment()
    assert deployment_taken(before, WIPE_DISK, 1.0) == before
    assert await world.store.read(lambda db: deployments.get(db, "web-1")) == before
