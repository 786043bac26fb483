"""What fails, says why, and is tried again; boots that nobody asked for have no rights."""

import pytest
from fleet_world import Played, deploying, state

from appliance.errors import Conflict
from appliance.netboot.policy import MaintenanceStack
from appliance.reconcile.consequences import Action
from appliance.workflow import GROW, MINUTE, PREPARE, WIPE_DISK, WRITE
from tests.people import ADA


async def test_a_step_that_fails_says_why_and_one_click_tries_again(world, node):
    await deploying(world, node, PREPARE)
    await node.report(await node.work(), "failed", code="download", message="it broke off\nat byte 5")
    machine = await node.seen()
    assert (machine.state, machine.failed_code, machine.failed_from) == ("failed", "download", "deploying")
    words = await world.fleet.state(node.token)
    assert "it broke off at byte 5" in words
    assert words.isprintable(), "it goes into a header"
    assert await node.work() is None
    await world.act("retry")
    assert await state(node) == "deploying"
    work = await node.step(PREPARE)
    assert work.params["owned"] is True
    for name in (WRITE, GROW, "configure", "hand-over"):
        await node.step(name)
    await node.reports_active()
    assert await state(node) == "active"


async def test_a_failure_rests_until_the_user_says_so(world, node):
    await deploying(world, node, PREPARE)
    await node.report(await node.work(), "failed", message="no")
    for _ in range(5):
        await world.passes(4000)
    assert await state(node) == "failed"
    assert await node.work() is None


async def test_a_failed_deploy_can_be_released(world, node):
    await deploying(world, node, PREPARE)
    await node.report(await node.work(), "failed", message="no")
    await world.act("release")
    assert (await state(node), (await world.deployment()).machine) == ("idle", None)


async def test_a_failed_release_is_retried_not_released(world, node):
    await node.active()
    await world.act("release")
    await world.passes(21 * MINUTE)
    assert await state(node) == "failed"
    with pytest.raises(Conflict, match="retry"):
        await world.wishes.act("web-1", Action.RELEASE, "web-1", ADA)
    await world.act("retry")
    await node.boots_stack()
    assert await state(node) == "idle"


@pytest.mark.parametrize("after", [PREPARE, WRITE, GROW, "configure"])
async def test_a_machine_that_restarts_by_itself_fails_the_attempt_and_gets_no_secrets(world, node, after):
    await deploying(world, node, after)
    boot = await node.firmware()
    assert boot.spec == MaintenanceStack(armed=False)
    machine = await node.seen()
    assert (machine.state, machine.failed_code) == ("failed", "restarted")
    await node.redeem(boot)
    assert await node.work() is None
    await world.fleet.take_inventory(node.token, node.inventory())
    assert await state(node) == "failed"
    await world.act("retry")
    assert await state(node) == "deploying"
    await node.installs()
    await node.reports_active()
    assert await state(node) == "active"


async def test_a_machine_that_is_restarting_when_the_user_begins_is_not_blamed_for_it(world, node):
    """It gave a sign a moment ago, and nothing was handed out yet: the boot it comes with is as good as asked for."""
    await node.usable()
    await world.deploy()
    world.now += 1
    await world.act("start")
    world.now += 1
    boot = await node.firmware()
    assert boot.spec == MaintenanceStack(armed=True)
    await node.redeem(boot)
    await world.fleet.take_inventory(node.token, node.inventory())
    await node.installs()
    await node.reports_active()
    assert await state(node) == "active"


async def test_a_boot_after_the_first_step_was_handed_out_has_the_rights_of_inventory_only(world, node):
    await node.usable()
    await world.deploy()
    await world.act("start")
    await node.work()
    world.now += 1
    stranger = Played(world)
    boot = await stranger.firmware()
    assert boot.spec == MaintenanceStack(armed=False)
    assert (await node.seen()).failed_code == "restarted"
    await stranger.redeem(boot)
    assert await stranger.work() is None


async def test_an_armed_token_is_worth_nothing_more_once_the_first_step_was_handed_out(world, node):
    """A stranger asks for a script in the moment before the agent comes, and redeems it afterwards."""
    await node.usable()
    await world.deploy()
    await world.act("start")
    world.now += 1
    stranger = Played(world)
    boot = await stranger.firmware()
    assert boot.spec == MaintenanceStack(armed=True)
    await node.step(PREPARE)
    await stranger.redeem(boot)
    [*_, event] = await world.events("agent.started")
    assert event.reason == "nobody asked for this boot: it has the rights of inventory"
    assert await stranger.work() is None
    assert (await node.seen()).failed_code == "boot-unasked"


async def test_a_second_boot_before_the_first_step_has_no_rights(world, node):
    """The beginning arms one boot; once that was redeemed, the next one is nobody's."""
    await node.usable()
    await world.deploy()
    await world.act("start")
    world.now += 1
    await node.redeem(await node.firmware())
    world.now += 1
    assert (await Played(world).firmware()).spec == MaintenanceStack(armed=False)
    assert (await node.seen()).failed_code == "restarted"


async def test_a_boot_under_way_when_the_user_begins_has_the_rights_of_the_attempt(world, node):
    await node.usable()
    await world.deploy()
    world.now += 1000
    boot = await node.firmware()
    world.now += 1
    await world.act("start")
    world.now += 1
    await node.redeem(boot)
    await node.step(PREPARE)
    await node.step(WRITE)


async def test_a_boot_that_nobody_asked_for_cannot_fetch_a_destructive_step(world, node):
    """Asked to return, the machine boots once more than it was told to: the second boot has no rights."""
    await node.active()
    await world.act("redeploy")
    await node.obeys()
    await node.redeem(await node.firmware())
    world.now += 1
    boot = await node.firmware()
    assert boot.spec == MaintenanceStack(armed=False)
    await node.redeem(boot)
    await world.fleet.take_inventory(node.token, node.inventory())
    assert await node.work() is None
    assert (await state(node), (await node.seen()).failed_code) == ("failed", "boot-unasked")
    world.now += 1
    await world.act("retry")
    await node.step(PREPARE)


async def test_a_restart_while_wiping_fails_and_is_retried(world, node):
    await node.waits_for_its_wipe()
    await node.work()
    await node.boots_stack()
    assert (await node.seen()).failed_reason == "the machine restarted by itself while wiping the disk"
    world.now += 1
    await world.act("retry")
    await node.step(WIPE_DISK)
    assert await state(node) == "idle"


async def test_a_boot_loop_is_named(world, node):
    await node.usable()
    await world.deploy()
    world.now += 1000
    await world.act("start")
    for _ in range(2):
        assert (await node.firmware()).spec == MaintenanceStack(armed=True)
        await world.passes(60)
    assert (await node.firmware()).spec == MaintenanceStack(armed=False)
    machine = await node.seen()
    assert machine.failed_code == "boot-loop"
    assert machine.failed_reason == "boot loop: 3 boots while preparing the disk"


async def test_slow_firmware_is_no_error(world, node):
    await node.active()
    await world.act("stop")
    await node.obeys()
    await world.passes(15 * MINUTE)
    boot = await node.firmware()
    await world.passes(5 * MINUTE)
    await node.redeem(boot)
    await world.passes(15 * MINUTE)
    await world.fleet.take_inventory(node.token, node.inventory())
    assert await state(node) == "stopped"
