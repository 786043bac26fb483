"""What follows when two people ask for different things of the same deployment or machine before anything began."""

import pytest
from fleet_world import state

from appliance.deployment import Wanted
from appliance.reconcile.consequences import Action
from appliance.task import Status, prospect
from appliance.workflow import PREPARE, Kind
from tests.people import ADA

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHhhbXBsZWtleWV4YW1wbGVrZXlleGFtcGxla2V5 ada"


async def asks(world, action):
    """A wish before the loop has had its turn."""
    foreseen = await world.wishes.consequences("web-1", action)
    return await world.wishes.act("web-1", action, foreseen.confirm, ADA, foreseen.content)


async def failed_deploy(world, node):
    await node.usable()
    await world.deploy()
    await world.act("start")
    await node.step(PREPARE)
    await node.report(await node.work(), "failed", code="x", message="no")
    assert await state(node) == "failed"


async def test_a_retry_after_a_release_leads_to_what_was_retried(world, node):
    await failed_deploy(world, node)
    release, retry = await asks(world, Action.RELEASE), await asks(world, Action.RETRY)
    await world.loop.round()
    assert (await node.attempt()).kind is Kind.DEPLOY
    assert (await world.deployment()).wanted is Wanted.RUNNING, "or it would be released, and wiped, once it runs"
    assert (await world.task(release.id)).status is Status.CANCELLED
    assert (await world.task(retry.id)).status is Status.RUNNING
    await node.installs()
    await node.reports_active()
    await world.loop.round()
    assert await state(node) == "active"


async def test_a_release_after_a_retry_writes_nothing_any_more(world, node):
    await failed_deploy(world, node)
    retry, release = await asks(world, Action.RETRY), await asks(world, Action.RELEASE)
    await world.loop.round()
    assert (await world.deployment()).machine is None
    assert await state(node) == "idle"
    assert (await world.task(retry.id)).status is Status.CANCELLED
    assert (await world.task(release.id)).status is Status.DONE


async def test_to_cancel_the_end_of_a_failed_rescue_begins_none_without_keys(world, node):
    await node.usable()
    await world.wishes.rescue("node-000001", [KEY], ADA)
    await world.loop.round()
    await node.report(await node.work(), "failed", code="x", message="no")
    ending = await world.wishes.end_rescue("node-000001", ADA)
    await world.wishes.cancel_task(str(ending.id), ADA)
    await world.loop.round()
    machine = await node.seen()
    assert (machine.state, machine.failed_from, machine.rescue) == ("failed", "rescuing", None)


async def test_a_retry_of_what_was_written_whole_says_what_is_lost_and_wants_the_name(world, node):
    """Its system may run, used by somebody, although it never reported."""
    await node.usable()
    await world.deploy()
    await world.act("start")
    await node.installs()
    await world.passes(3 * 3600)
    assert await state(node) == "failed"
    foreseen = await world.wishes.consequences("web-1", Action.RETRY)
    assert (foreseen.confirm, foreseen.destroys, foreseen.disk.serial) == ("web-1", True, "S1")


async def test_a_retry_of_what_was_written_in_part_needs_no_name(world, node):
    await failed_deploy(world, node)
    foreseen = await world.wishes.consequences("web-1", Action.RETRY)
    assert (foreseen.confirm, foreseen.destroys) == (None, False)


@pytest.mark.parametrize(("fetched", "says"), [(False, "not touched yet"), (True, "What was on the disk is lost")])
async def test_a_cancellation_says_the_truth_of_the_disk(world, node, fetched, says):
    await node.usable()
    await world.deploy()
    task = await world.act("start")
    await node.boots_stack()
    if fetched:
        await node.work()
    attempt = await node.attempt()
    assert says in prospect(await world.task(task), attempt).text
    await world.wishes.cancel_task(str(task), ADA)
    assert await state(node) == "failed"
    assert (await world.deployment()).disk.owned is False
