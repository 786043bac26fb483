"""Roots of machines that do not come back: nobody gets anything, and nothing is deleted, before they are cut off."""

import asyncio

import pytest
from fleet_world import Played, state
from power_world import Switches
from root_world import a_root_world, trouble
from test_root_volumes import comes_back, configures, killed, runs

from appliance.power_switch import PowerError, PowerState
from appliance.reconcile.consequences import Action
from appliance.reconcile.wishes import MachineChange
from appliance.store import pools, root_volumes
from tests.people import ADA


@pytest.fixture(params=["iscsi", "nfs"])
async def world(tmp_path, request):
    async with a_root_world(tmp_path) as made:
        made.delivery = request.param
        yield made


@pytest.fixture
def node(world):
    return Played(world, disks=[])


@pytest.fixture
def other(world):
    return Played(world, "52:54:00:00:00:02", "11111111-2222-3333-4444-555555555502", [])


async def breaks(world, node):
    """It runs from its root, and a user gives it up."""
    await runs(world, node)
    await says(world, node, broken=True)


async def says(world, node, *, broken):
    await world.wishes.change_machine((await node.seen()).id, MachineChange(broken=broken), ADA)


async def takes_over(world, other):
    """The deployment was released, and starts on another machine."""
    await other.usable()
    await world.act("start")


def revoking(world):
    return f"exports.{world.delivery}-revoke"


async def nothing_is_left(world):
    return (world.kernel.exports, world.volumes, await world.rows()) == ({}, [], [])


async def test_without_a_switch_it_is_cut_off_and_then_deleted(world, node):
    await breaks(world, node)
    world.kernel.asked.clear()
    await world.act("release")
    assert await nothing_is_left(world), "a volume that is still exported cannot be deleted: see Kernel.opened"
    assert revoking(world) in [each.name for each in world.kernel.asked]
    assert await state(node) == "broken"


async def test_what_cannot_be_cut_off_is_not_deleted(world, node):
    await breaks(world, node)
    world.kernel.refusing[revoking(world)] = trouble("export-not-revoked", "it is still mounted")
    await world.act("release")
    assert (len(world.kernel.exports), len(world.volumes)) == (1, 1)
    (told,) = await world.events("root.trouble")
    assert "still mounted" in told.text
    world.kernel.refusing.clear()
    await world.look()
    assert await nothing_is_left(world)


async def test_another_machine_gets_its_root_only_once_the_broken_one_is_cut_off(world, node, other):
    await breaks(world, node)
    (before,) = world.kernel.exports
    world.kernel.refusing[revoking(world)] = trouble("export-not-revoked", "it is still mounted")
    await world.act("release")
    await takes_over(world, other)
    assert list(world.kernel.exports) == [before]
    assert (await other.seen()).failed_code == "export-not-revoked"
    world.kernel.refusing.clear()
    await world.act("retry")
    assert len(world.kernel.exports) == 1
    assert before not in world.kernel.exports
    assert (await configures(world, other))["delivery"] == world.delivery


async def test_a_pool_that_is_busy_holds_no_fencing_up(world, node, other):
    """To delete the volume may wait for hours; to end the export is no change of the pool."""
    await breaks(world, node)
    await world.wishes.act("web-1", Action.RELEASE, "web-1", ADA)
    await other.usable()
    pool = await world.store.read(lambda db: pools.get(db, "fast"))
    async with asyncio.TaskGroup() as group:
        async with world.rooms.alone(pool):
            begun = group.create_task(world.act("start"))
            while not await doomed(world):
                await asyncio.sleep(0)
            await world.keeping.look()
            assert world.kernel.exports == {}
            assert (await world.root()).name not in world.volumes, "it waits for the pool"
        await begun
    assert len(world.kernel.exports) == 1


async def doomed(world):
    return [each for each in await world.store.read(root_volumes.every) if each.doomed]


async def test_an_export_that_was_granted_meanwhile_is_not_taken_for_an_idle_one(world, node, other, monkeypatch):
    """Two machines were mended, whose systems may run: their exports end. One is started while that is done."""
    await breaks(world, node)
    await other.usable()
    await world.deploy("web-2", image="live", delivery=world.delivery)
    await world.act("start", "web-2")
    await configures(world, other)
    await other.report(await other.work(), result={"method": "kexec"})
    await other.reports_active()
    await says(world, other, broken=True)
    for each in (node, other):
        await says(world, each, broken=False)
    revoke = world.steps._exporting.revoke

    async def and_meanwhile(kind, export):
        monkeypatch.undo()
        left = await revoke(kind, export)
        await other.boots_stack()
        group.create_task(world.act("start", "web-2"))
        while not world.steps._exporting.alone._waiters:
            await asyncio.sleep(0)  # until its export is the next that is granted
        return left

    monkeypatch.setattr(world.steps._exporting, "revoke", and_meanwhile)
    async with asyncio.TaskGroup() as group:
        await world.keeping.look()
    assert len(world.kernel.exports) == 1
    assert (await other.work()).step == "hand-over"
    assert (await world.root("web-2")).grant is not None


async def test_a_machine_that_does_not_come_back_keeps_its_root_until_it_is_fenced(world, node, other):
    await runs(world, node)
    (export,) = world.kernel.exports
    await world.act("release")
    for _ in range(3):
        await world.passes(1300)
        await world.look()
    assert (await node.seen()).failed_code == "step-silent"
    await world.act("retry")
    await world.passes(1300)
    await world.look()
    assert list(world.kernel.exports) == [export], "its system may still write"
    assert len(world.volumes) == 1
    await says(world, node, broken=True)
    await world.look()
    assert list(world.kernel.exports) == [export]
    await world.act("release")
    assert await nothing_is_left(world)
    await takes_over(world, other)
    assert len(world.kernel.exports) == 1


async def test_a_re_deploy_of_a_machine_that_does_not_come_back_makes_no_second_root(world, node):
    await runs(world, node)
    before = list(world.kernel.exports), world.volumes
    await world.act("redeploy")
    await world.passes(1300)
    await world.look()
    assert await state(node) == "failed"
    assert (list(world.kernel.exports), world.volumes) == before
    await world.act("retry")
    await comes_back(world, node)
    assert len(world.volumes) == 1
    assert world.volumes != before[1]
    assert len(world.kernel.exports) == 1
    assert list(world.kernel.exports) != before[0]


async def test_a_machine_that_is_deleted_takes_nothing_along(world, node):
    await breaks(world, node)
    world.kernel.refusing[revoking(world)] = trouble("helper-down", "it does not run")
    await world.act("release")
    await world.wishes.delete_machine((await node.seen()).id, ADA)
    await world.look()
    assert len(world.kernel.exports) == 1
    world.kernel.refusing.clear()
    await world.look()
    assert await nothing_is_left(world)


async def test_a_deployment_that_is_deleted_leaves_its_root_to_be_cut_off(world, node):
    await breaks(world, node)
    world.kernel.refusing[revoking(world)] = trouble("helper-down", "it does not run")
    await world.act("release")
    await world.wishes.delete_deployment("web-1", ADA)
    await world.look()
    assert (len(world.kernel.exports), len(world.volumes)) == (1, 1)
    world.kernel.refusing.clear()
    await world.look()
    assert await nothing_is_left(world)


# -- with a switch


@pytest.fixture
async def switches(world, node):
    """A broken machine that runs from its root and has a switch."""
    made = Switches(world)
    await runs(world, node)
    made.on = await made.add(node, PowerState.ON)
    await says(world, node, broken=True)
    return made


async def test_a_machine_with_a_switch_is_off_before_its_root_is_touched(world, switches):
    switches.on.failing = PowerError("power-unreachable", "no answer")
    before = dict(world.kernel.exports), world.volumes
    await world.act("release")
    await switches.work()
    await world.look()
    assert (world.kernel.exports, world.volumes) == before, "it is not confirmed to be off"
    switches.on.failing = None
    await world.act("release")
    assert (world.kernel.exports, world.volumes) == before
    await switches.work()
    assert switches.on.state is PowerState.OFF
    await world.look()
    assert await nothing_is_left(world)


# -- the daemon is killed anywhere


@pytest.mark.parametrize("moment", range(28))
async def test_a_daemon_that_is_killed_while_a_root_goes_elsewhere_serves_one_machine_at_a_time(
    world, node, other, moment
):
    await breaks(world, node)
    await other.usable()
    (before,) = world.kernel.exports
    world.fuse.burns_at = moment
    dead = 0
    for action in ("release", "start"):
        if await killed(world.act(action)):
            dead += 1
            assert len(world.kernel.exports) <= 1, "two machines have a root of one deployment"
            world.fuse.burns_at = None
            world.begin()  # and a user may be quicker than its first look
    assert dead, "there are fewer moments than that"
    await world.look()
    assert (await other.work()).step == "configure"
    (after,) = world.kernel.exports
    assert after != before
    assert world.volumes == [(await world.root()).name]
    assert len(await world.rows()) == 1
