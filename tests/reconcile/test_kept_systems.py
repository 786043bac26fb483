"""A system on a disk is kept until somebody wants it overwritten: cancelled re-deploys, broken machines."""

import pytest
from fleet_world import boots_disk, state

from appliance.deployment import Wanted
from appliance.errors import Conflict
from appliance.reconcile.consequences import Action, MachineAction
from appliance.reconcile.wishes import MachineChange
from appliance.task import Status, prospect
from appliance.workflow import HAND_OVER, PREPARE, RETURN, SHUT_DOWN, WIPE_DISK, WRITE
from tests.people import ADA

KEY = "node-000001"


async def until(node, step):
    """A re-deploy that was begun, up to this step: told of, but for the preparation of the disk."""
    if step == SHUT_DOWN:
        assert (await node.world.fleet.resident_wait(node.resident, "b1")).command == "reboot"
        return
    await node.obeys()
    if step == PREPARE:
        await node.boots_stack()


async def cancels(world, node, task):
    said = prospect(await world.task(task), await node.attempt())
    await world.wishes.cancel_task(str(task), ADA)
    await world.loop.round()
    assert (await world.task(task)).status is Status.CANCELLED
    return said.text


@pytest.mark.parametrize("step", [SHUT_DOWN, RETURN, PREPARE])
async def test_a_redeploy_that_is_cancelled_before_the_disk_is_touched_leaves_a_stopped_system(world, node, step):
    await node.active()
    installed = (await world.deployment()).installed
    task = await world.act("redeploy")
    await until(node, step)
    assert (await node.attempt()).step.name == step
    said = await cancels(world, node, task)
    assert said == "Its system is shut down; start it again, nothing was overwritten."
    kept = await world.deployment()
    assert (kept.generation, kept.installed, kept.wanted) == (1, installed, Wanted.STOPPED)
    assert await state(node) == "stopped"
    foreseen = await world.wishes.consequences("web-1", Action.START)
    assert (foreseen.refused, foreseen.confirm, foreseen.destroys) == ("", None, False)
    assert "boots again from its disk" in foreseen.texts[0]
    assert (await world.wishes.consequences("web-1", Action.RETRY)).refused
    await node.boots_stack()
    assert await node.work() is None
    await world.act("start")
    await node.step(HAND_OVER)
    await node.reports_active("b2")
    assert await state(node) == "active"


async def test_what_was_told_to_prepare_the_disk_is_not_said_to_be_intact(world, node):
    await node.active()
    task = await world.act("redeploy")
    await until(node, PREPARE)
    assert (await node.work()).step == PREPARE
    assert "is lost" in await cancels(world, node, task)
    overwritten = await world.deployment()
    assert (await state(node), overwritten.generation, overwritten.installed) == ("failed", 2, None)
    again = await world.act("retry")
    await node.boots_stack()
    assert "nothing was overwritten" not in await cancels(world, node, again)
    assert await state(node) == "failed"
    with pytest.raises(Conflict, match="retry instead"):
        await world.wishes.act("web-1", Action.START, None, ADA)


async def test_a_retry_that_is_cancelled_early_gives_the_system_back_that_a_failed_redeploy_left(world, node):
    await node.active()
    await world.act("redeploy")
    await world.passes(3600)
    assert (await state(node), (await world.deployment()).generation) == ("failed", 2)
    task = await world.act("retry")
    await node.boots_stack()
    assert (await node.attempt()).step.name == PREPARE
    assert "nothing was overwritten" in await cancels(world, node, task)
    assert ((await world.deployment()).generation, await state(node)) == (1, "stopped")
    await world.act("start")
    await boots_disk(node)


async def test_a_system_that_was_not_told_to_shut_down_is_not_said_to_be_down(world, node):
    await node.active()
    await world.act("redeploy")
    await world.passes(3600)
    task = await world.act("retry")
    assert (await node.attempt()).step.name == SHUT_DOWN
    assert "goes on" in await cancels(world, node, task)
    assert await state(node) == "failed"


async def breaks(world, node, broken=True):
    await world.wishes.change_machine(KEY, MachineChange(broken=broken), ADA)
    await world.loop.round()


async def test_nothing_is_deployed_by_itself_once_a_broken_machine_is_mended(world, node):
    await node.usable()
    await world.deploy()
    await world.act("start")
    await node.step(PREPARE)
    work = await node.work()
    assert work.step == WRITE
    await node.report(work, "failed", code="x", message="no")
    said = await world.wishes.machine_consequences(KEY, MachineAction.BREAK)
    assert "web-1 is taken off it; what is on its disk stays as it is." in said.texts
    await breaks(world, node)
    after = await world.deployment()
    assert (after.machine, after.wanted) == (None, Wanted.RELEASED)
    assert (await world.events("deployment.changed"))[-1].text == f"web-1 was taken off {KEY}"
    await breaks(world, node, broken=False)
    await node.boots_stack()
    await world.loop.round()
    assert (await state(node), await node.work()) == ("idle", None)


async def test_what_is_installed_on_a_broken_machine_waits_for_a_start(world, node):
    """It was wanted anew, and its system could not be shut down."""
    await node.active()
    await world.act("redeploy")
    await world.passes(3600)
    said = await world.wishes.machine_consequences(KEY, MachineAction.BREAK)
    assert "web-1 is wanted stopped from then on" in said.texts[1]
    await breaks(world, node)
    kept = await world.deployment()
    assert (kept.wanted, kept.generation, kept.current) == (Wanted.STOPPED, 1, True)
    await breaks(world, node, broken=False)
    await node.boots_stack()
    await world.loop.round()
    assert (await state(node), await node.work()) == ("idle", None)
    await world.act("start")
    await node.step(HAND_OVER)


async def test_a_failed_wipe_does_not_begin_again_by_itself(world, node):
    await node.waits_for_its_wipe()
    work = await node.work()
    assert (work.step, (await world.deployment()).installed) == (WIPE_DISK, None)
    await node.report(work, "failed", code="x", message="no")
    await breaks(world, node)
    await breaks(world, node, broken=False)
    await node.boots_stack()
    await world.loop.round()
    assert (await state(node), await node.work(), (await world.deployment()).machine) == ("idle", None, None)
