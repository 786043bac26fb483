"""Reports that come twice, too late, or from another machine."""

from dataclasses import replace

from fleet_world import Played, code_of, deploying, state

from appliance.errors import Conflict, Invalid
from appliance.machine import MacAddress
from appliance.netboot.fleet import Activity
from appliance.workflow import PREPARE

OTHER = MacAddress("52:54:00:00:00:02")


async def test_another_machine_cannot_report_on_an_attempt_nor_see_it(world, node):
    other = Played(world, OTHER, None)
    await other.boots_stack()
    await node.usable()
    await world.deploy()
    await world.act("start")
    work = await node.work()
    assert await other.work() is None
    assert await code_of(Conflict, other.report(work)) == "stale-step"
    assert (await node.attempt()).index == 0


async def test_reports_that_come_twice_change_nothing_and_stale_ones_are_refused(world, node):
    await node.usable()
    await world.deploy()
    await world.act("start")
    first = await node.step(PREPARE)
    await node.report(first)
    assert (await node.attempt()).index == 1
    assert await code_of(Conflict, node.report(first, "failed", message="late")) == "stale-step"
    assert await code_of(Conflict, node.report(first, "running")) == "stale-step"
    early = replace(first, step="hand-over")
    assert await code_of(Conflict, node.report(early)) == "stale-step"
    assert await state(node) == "deploying"


async def test_a_progress_that_is_no_number_is_refused(world, node):
    await node.usable()
    await world.deploy()
    await world.act("start")
    work = await node.work()
    assert await code_of(Invalid, node.report(work, "running", progress=float("nan"))) == "progress-invalid"
    await node.report(work, "running", progress=7.0)
    assert (await node.attempt()).progress == 1.0


async def test_progress_is_a_sign_of_life(world, node):
    await deploying(world, node, PREPARE)
    work = await node.work()
    await world.passes(200)
    await node.report(work, "running", progress=0.5)
    assert (await node.seen()).last_seen == world.now


async def test_a_late_failure_of_the_shut_down_does_not_fail_what_came_after(world, node):
    await node.active()
    await world.act("redeploy")
    await node.obeys()
    await node.firmware()
    attempt = (await node.attempt()).id
    stale = world.fleet.resident_report(node.resident, attempt, "failed", "timed out")
    assert await code_of(Conflict, stale) == "stale-step"
    assert await state(node) == "deploying"


async def test_a_system_that_went_down_by_hand_cannot_fail_the_return(world, node):
    await node.active()
    await world.act("redeploy")
    await node.firmware()
    attempt = (await node.attempt()).id
    stale = world.fleet.resident_report(node.resident, attempt, "failed", "timed out")
    assert await code_of(Conflict, stale) == "stale-step"


async def test_a_system_that_cannot_go_down_after_all_says_so_and_is_heard(world, node):
    """It reports that it obeys before it does: what fails then is still the shutdown, until somebody boots."""
    await node.active()
    await world.act("stop")
    await node.obeys()
    attempt = (await node.attempt()).id
    await world.fleet.resident_report(node.resident, attempt, "failed", "a job blocks it")
    machine = await node.seen()
    assert (machine.state, machine.failed_code) == ("failed", "shut-down-failed")
    assert machine.failed_reason == "a job blocks it"
    await world.act("retry")
    await node.obeys()
    await node.boots_stack()
    assert await state(node) == "stopped"


async def test_of_many_addresses_of_a_system_the_one_that_is_known_stays(world, node):
    await node.active()
    before = (await node.seen()).address
    assert before == "10.77.0.50"
    for told, after in (
        (("172.17.0.1/16", "10.77.0.50/24"), "10.77.0.50"),
        (("127.0.0.1/8", "169.254.1.1/16", "nonsense", "10.77.0.60/24", "172.17.0.1/16"), "10.77.0.60"),
    ):
        await world.fleet.resident_active(node.resident, Activity("b1", "web-1", (), told))
        assert (await node.seen()).address == after
