"""What machines, networks and strangers get wrong: each has its answer, and harms nobody else."""

import asyncio
import secrets
from dataclasses import replace

import pytest
from fleet_world import FULL, RESULTS, Played, boots_disk, disk, state

from appliance.errors import Conflict, Denied, Invalid, NotFound
from appliance.machine import MacAddress
from appliance.netboot.fleet import Activity, Redemption, Report
from appliance.netboot.policy import LocalDisk, MaintenanceStack
from appliance.reconcile import residents
from appliance.reconcile.consequences import Action
from appliance.reconcile.wishes import MachineChange, NewDeployment
from appliance.store import machines
from appliance.store.tokens import TOKEN_SECONDS
from appliance.workflow import GROW, HAND_OVER, MINUTE, PREPARE, WIPE_DISK, WRITE, Status
from tests.people import ADA

OTHER = MacAddress("52:54:00:00:00:02")


async def code_of(error, call):
    with pytest.raises(error) as caught:
        await call
    return caught.value.code


async def deploying(world, node, until):
    await node.usable()
    await world.deploy()
    await world.act("start")
    await node.installs(until)


# tokens


async def test_a_token_that_nobody_gave_is_refused(world, node):
    boot = await node.firmware()
    assert await code_of(Denied, node.redeem(replace(boot, token="0" * 64))) == "token-unknown"


async def test_a_token_without_its_nonce_is_refused(world, node):
    boot = await node.firmware()
    assert await code_of(Denied, node.redeem(replace(boot, nonce="x"))) == "token-unknown"


async def test_a_token_that_is_too_old_is_refused(world, node):
    boot = await node.firmware()
    world.now += TOKEN_SECONDS + 1
    assert await code_of(Denied, node.redeem(boot)) == "token-expired"


async def expired(world, node):
    boot = await node.firmware()
    world.now += TOKEN_SECONDS + 1
    return boot, "a" * 64


async def followed_by_another_boot(_, node):
    boot = await node.firmware()
    await node.redeem(boot, "a" * 64)
    await node.redeem(await node.firmware())
    return boot, "a" * 64


async def with_the_token_of_another_machine(world, node):
    other = Played(world, OTHER, None)
    await other.boots_stack()
    return await node.firmware(), other.token


async def used_by_somebody_else(_, node):
    boot = await node.firmware()
    await node.redeem(boot)
    return boot, "a" * 64


@pytest.mark.parametrize(
    ("refused", "code", "why"),
    [
        (expired, "token-expired", "this boot token is older than ten minutes"),
        (followed_by_another_boot, "token-used", "this boot has been followed by another"),
        (with_the_token_of_another_machine, "token-used", "this machine token is another machine's"),
        (used_by_somebody_else, "token-used", "redeemed a second time, from 10.77.0.50"),
    ],
)
async def test_a_refused_boot_token_stands_in_the_timeline_once_however_often_it_is_tried(
    world, node, refused, code, why
):
    boot, token = await refused(world, node)
    with world.bus.subscribe() as heard:
        assert await code_of(Denied, node.redeem(boot, token)) == code
        assert (await asyncio.wait_for(heard.get(), 5)).kind == "agent.refused"
    for _ in range(3):
        assert await code_of(Denied, node.redeem(boot, token)) == "token-unknown"
    [event] = await world.events("agent.refused")
    assert event.machine == (await node.seen()).id
    assert why in event.reason


async def test_a_repeated_redemption_is_the_same_redemption(world, node):
    boot = await node.firmware()
    first = await node.redeem(boot, "a" * 64)
    assert await node.redeem(boot, "a" * 64) == first
    assert not await world.events("agent.refused")


async def test_a_second_redemption_quarantines_the_machine(world, node):
    await node.usable()
    boot = await node.firmware()
    await node.redeem(boot)
    mine = node.token
    assert await code_of(Denied, Played(world).redeem(boot)) == "token-used"
    assert (await node.seen()).maintenance is True
    assert await code_of(Denied, world.fleet.work(mine, "10.77.0.1")) == "session-unknown"
    [event] = await world.events("agent.refused")
    assert "second time" in event.reason


async def test_a_second_redemption_fails_the_attempt_that_runs(world, node):
    await node.usable()
    await world.deploy()
    world.now += 1000
    await world.act("start")
    boot = await node.firmware()
    await node.redeem(boot)
    await code_of(Denied, Played(world).redeem(boot))
    assert (await state(node), (await node.seen()).failed_code) == ("failed", "token-used")


async def test_a_machine_token_of_another_machine_opens_nothing(world, node):
    other = Played(world, OTHER, None)
    await node.boots_stack()
    boot = await other.firmware()
    assert await code_of(Denied, other.redeem(boot, node.token)) == "token-used"
    assert await node.work() is None


@pytest.mark.parametrize("token", ["", "x", "\udcff", "a" * 64])
async def test_wrong_tokens_open_nothing(world, node, token):
    await node.boots_stack()
    node.token = token
    assert await code_of(Denied, node.work()) == "session-unknown"
    assert await code_of(Denied, world.fleet.take_inventory(token, node.inventory())) == "session-unknown"
    assert await code_of(Denied, world.fleet.resident_wait(token, "b")) == "session-unknown"
    assert await code_of(Denied, world.fleet.image(token, 1)) == "token-unknown"
    assert await code_of(NotFound, world.fleet.poll(token)) == "session-unknown"


async def test_the_session_of_an_earlier_boot_is_worthless(world, node):
    await node.boots_stack()
    old = node.token
    await node.boots_stack()
    assert await code_of(Denied, world.fleet.work(old, "10.77.0.1")) == "session-unknown"


async def test_a_download_token_opens_its_own_image_only(world, node):
    await node.usable()
    await world.deploy()
    await world.act("start")
    await node.step(PREPARE)
    token = (await node.work()).params["image"]["token"]
    assert await code_of(Denied, world.fleet.image(token, 2)) == "token-unknown"


# attempts of others, late and doubled reports


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


# failures


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
    await node.usable()
    await world.deploy(wipe_on_release=True)
    await world.act("start")
    await node.installs()
    await node.reports_active()
    await world.act("release")
    await node.obeys()
    await node.boots_stack()
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


async def test_silence_past_the_deadline_fails_with_what_was_waited_for(world, node):
    await deploying(world, node, PREPARE)
    await node.work()
    await world.passes(5 * MINUTE - 1)
    assert await state(node) == "deploying"
    await world.passes(2)
    machine = await node.seen()
    assert (machine.failed_code, machine.failed_reason) == (
        "step-silent",
        "writing the image: no sign of the machine for 5 minutes",
    )
    [event] = await world.events("attempt.failed")
    assert event.reason == machine.failed_reason


async def test_signs_of_life_do_not_extend_a_step_for_ever(world, node):
    await deploying(world, node, PREPARE)
    work = await node.work()
    for _ in range(90):
        await world.passes(4 * MINUTE)
        if await state(node) != "deploying":
            break
        await node.report(work, "running", progress=0.1)
    assert (await node.seen()).failed_code == "step-limit"


async def test_a_kexec_that_ends_in_silence_is_remembered(world, node):
    await deploying(world, node, "hand-over")
    assert (await node.attempt()).results["hand-over"]["method"] == "kexec"
    boot = await boots_disk(node)
    assert "ended in silence" in boot.reason
    await node.reports_active()
    assert (await state(node), (await node.seen()).hand_over) == ("active", "reboot")
    await world.act("stop")
    await node.obeys()
    await node.boots_stack()
    await world.act("start")
    assert (await node.work()).params["method"] == "reboot"


async def test_kexec_is_not_blamed_for_a_system_that_labels_its_files_and_restarts(world, node):
    await deploying(world, node, GROW)
    work = await node.work()
    node.resident = work.params["resident"]["token"]
    await node.report(work, result={**RESULTS["configure"], "relabels": True})
    await node.step(HAND_OVER)
    boot = await boots_disk(node)
    assert "restarts once" in boot.reason
    await node.reports_active()
    assert (await state(node), (await node.seen()).hand_over) == ("active", "kexec")


async def test_a_kexec_that_hangs_is_remembered_once_its_deadline_has_passed(world, node):
    """It asks for no boot script; its silence is all there is."""
    await deploying(world, node, "hand-over")
    await world.passes(21 * MINUTE)
    assert (await state(node), (await node.seen()).hand_over) == ("failed", "reboot")
    event = (await world.events("machine.changed"))[-1]
    assert event.text == "hand-over of node-000001 from kexec to reboot"
    assert "no sign of the machine for 20 minutes" in event.reason
    await node.boots_stack()
    await world.act("retry")
    await node.installs(until="configure")
    assert (await node.work()).params["method"] == "reboot"


async def test_a_kernel_that_gives_up_does_not_stand_still(world, node):
    """Only for what cannot go on: a soft lockup or an oops may pass, and is the deployed system's own affair."""
    await deploying(world, node, "configure")
    assert (await node.work()).params["append"].split() == ["panic=30", "nmi_watchdog=panic"]


async def test_a_system_slower_than_its_deadline_recovers_by_itself(world, node):
    await deploying(world, node, "hand-over")
    await world.passes(21 * MINUTE)
    assert await state(node) == "failed"
    await node.reports_active()
    assert (await state(node), (await node.seen()).failed_reason) == ("active", "")
    assert (await node.seen()).hand_over == "kexec", "it was slow, and did not hang"
    assert (await world.events("machine.changed"))[-1].reason == "its system came up after all, only late"
    await world.loop.round()
    assert await state(node) == "active"


async def test_a_system_that_came_up_another_way_does_not_clear_kexec(world, node):
    """The user power-cycled the machine, and chose its disk in the menu of its firmware."""
    await deploying(world, node, "hand-over")
    await world.passes(21 * MINUTE)
    await node.boots_stack()
    await node.reports_active()
    assert (await state(node), (await node.seen()).hand_over) == ("active", "reboot")


async def test_a_poll_from_before_the_start_says_nothing_of_the_system_now(world, node, monkeypatch):
    """Its machine was power-cycled into the maintenance stack; the connection of the dead system is still open."""
    monkeypatch.setattr(residents, "POLL_SECONDS", 0.5)
    await node.active()
    async with asyncio.TaskGroup() as tasks:
        dead = tasks.create_task(world.fleet.resident_wait(node.resident, "b1"))
        while not world.bell._waiting:
            await asyncio.sleep(0)
        await world.wishes.change_machine("node-000001", MachineChange(broken=True), ADA)
        await node.boots_stack()
        await world.wishes.change_machine("node-000001", MachineChange(broken=False), ADA)
        await world.act("start")
        assert (await dead).command == "none"
    assert await state(node) == "starting"
    await node.step(HAND_OVER)


async def test_a_system_that_only_polls_ends_the_wait_for_it_even_past_the_deadline(world, node, monkeypatch):
    monkeypatch.setattr(residents, "POLL_SECONDS", 0.05)
    await node.active()
    await world.wishes.change_machine("node-000001", MachineChange(broken=True), ADA)
    await world.wishes.change_machine("node-000001", MachineChange(broken=False), ADA)
    await world.act("start")
    assert await state(node) == "starting"
    await world.passes(21 * MINUTE)
    assert await state(node) == "failed"
    assert (await world.fleet.resident_wait(node.resident, "b1")).command == "none"
    assert await state(node) == "active"


async def test_a_poll_of_the_old_system_does_not_pass_for_the_one_that_replaces_it(world, node, monkeypatch):
    monkeypatch.setattr(residents, "POLL_SECONDS", 0.05)
    await node.active()
    await world.act("redeploy")
    await world.passes(21 * MINUTE)
    assert await state(node) == "failed"
    assert (await world.fleet.resident_wait(node.resident, "b1")).command == "none"
    assert await state(node) == "failed"


async def test_the_old_system_does_not_pass_for_the_one_that_replaces_it(world, node):
    await node.active()
    await world.act("redeploy")
    await world.passes(21 * MINUTE)
    assert await state(node) == "failed"
    await node.reports_active("b1")
    await world.loop.round()
    assert await state(node) == "failed", "what is destructive waits for the user"


async def test_a_lost_hand_over_report_is_made_up_for_by_the_system_itself(world, node):
    await deploying(world, node, "configure")
    await node.work()
    await node.reports_active()
    assert await state(node) == "active"


async def test_a_system_whose_report_got_no_answer_is_told_again_to_go_down(world, node):
    """The daemon died between the note that it obeys and the answer: it waits, and would wait for ever."""
    await node.active()
    await world.act("stop")
    await node.obeys()
    before = await node.attempt()
    await node.reports_active()
    command = await world.fleet.resident_wait(node.resident, "b1")
    assert (command.command, command.attempt) == ("reboot", before.id)
    await world.fleet.resident_report(node.resident, command.attempt, "done", "")
    assert (await node.attempt()).index == before.index
    await node.boots_stack()
    assert await state(node) == "stopped"


async def test_a_system_that_cannot_shut_down_says_so(world, node):
    await node.active()
    await world.act("stop")
    command = await world.fleet.resident_wait(node.resident, "b1")
    await world.fleet.resident_report(node.resident, command.attempt, "failed", "a job blocks it")
    assert (await node.seen()).failed_reason == "a job blocks it"


async def test_a_user_who_switches_the_machine_off_and_on_helps_a_stop_along(world, node):
    await node.active()
    await world.act("stop")
    await node.boots_stack()
    assert await state(node) == "stopped"


# identity


async def test_the_same_uuid_twice_makes_two_machines_and_an_event(world, node):
    await node.boots_stack()
    twin = Played(world, OTHER)
    await twin.boots_stack()
    assert (await twin.seen()).id != (await node.seen()).id
    [event] = await world.events("machine.conflict")
    assert "claims the UUID of node-000001 too" in event.text
    await node.firmware()
    await twin.firmware()
    assert len(await world.events("machine.conflict")) == 1


async def test_a_second_interface_of_a_known_machine_is_that_machine(world, node):
    first = node.inventory()
    second = Played(world, OTHER, node.uuid)
    boot = await node.firmware()
    await node.redeem(boot)
    await world.fleet.take_inventory(node.token, {**first, "nics": [{"mac": node.mac}, {"mac": OTHER}]})
    await second.firmware()
    assert len(await world.machines()) == 1


async def test_an_inventory_cannot_take_the_interface_of_another_machine(world, node):
    other = Played(world, OTHER, None)
    await other.boots_stack()
    boot = await node.firmware()
    await node.redeem(boot)
    await world.fleet.take_inventory(node.token, {**node.inventory(), "nics": [{"mac": OTHER}, {"mac": node.mac}]})
    assert (await other.seen()).macs == (OTHER,)
    assert (await node.seen()).macs == (node.mac,)


# hostile inventories

GOOD = {"system": {}, "cpu": {}, "memory": {}, "disks": [], "nics": []}


@pytest.mark.parametrize(
    "wrong",
    [
        {"disks": "none"},
        {"disks": [1]},
        {"disks": [{"bytes": "many"}]},
        {"disks": [{"bytes": -1}]},
        {"disks": [{"bytes": 10**30}]},
        {"disks": [{"content": "ext4"}]},
        {"disks": [{"content": {"empty": "yes"}}]},
        {"cpu": {"threads": "two"}},
        {"memory": {"bytes": []}},
        {"nics": [{"mac": 5}]},
        {"nics": None, "system": "x"},
        {"boot_mac": {"a": 1}},
    ],
)
async def test_an_inventory_of_the_wrong_shape_is_refused_and_stops_nobody(world, node, wrong):
    stranger = Played(world, OTHER, None)
    boot = await stranger.firmware()
    await stranger.redeem(boot)
    refused = world.fleet.take_inventory(stranger.token, {**GOOD, **wrong})
    assert await code_of(Invalid, refused) == "inventory-invalid"
    await node.usable()
    await world.deploy()
    await world.act("start")
    assert await state(node) == "deploying"


async def test_what_an_agent_could_not_find_out_is_no_reason_to_refuse_it(world, node):
    boot = await node.firmware()
    await node.redeem(boot)
    nothing = dict.fromkeys(("system", "cpu", "memory", "disks", "nics", "boot_mac"))
    assert (await world.fleet.take_inventory(node.token, nothing))[0] == "idle"
    await world.wishes.change_machine("node-000001", MachineChange(maintenance=False), ADA)
    await world.deploy()
    with pytest.raises(Conflict, match="it has no disk"):
        await world.act("start")


async def test_a_late_resident_address_that_is_none_is_ignored(world, node):
    await node.active()
    machine = await node.seen()
    assert machine.address == "10.77.0.50"
    hostile = ("127.0.0.1/8", "<script>.x", "fe80::1", "10.77.0.99/24")
    await world.fleet.resident_active(node.resident, Activity("b2", "h", (), hostile))
    assert (await node.seen()).address == "10.77.0.99"


# wishes that make no sense


@pytest.mark.parametrize("action", ["stop", "release", "redeploy", "retry"])
async def test_what_needs_a_machine_is_refused_without_one(world, node, action):
    await world.deploy()
    with pytest.raises(Conflict, match="on no machine"):
        await world.wishes.act("web-1", Action(action), "web-1", ADA)


@pytest.mark.parametrize("action", list(Action))
async def test_nothing_is_begun_while_something_goes_on(world, node, action):
    await deploying(world, node, PREPARE)
    with pytest.raises(Conflict, match="wait until that has ended"):
        await world.wishes.act("web-1", action, "web-1", ADA)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"image": "none"}, "image-unknown"),
        ({"machine": "none"}, "machine-unknown"),
        ({"delivery": "nfs"}, "delivery-unknown"),
        ({"ssh_keys": ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA",)}, "ssh-key-invalid"),
        ({"ssh_keys": ("ssh-ed25519 A\nssh-ed25519 B",)}, "ssh-key-invalid"),
        ({"name": "Web 1"}, "name-invalid"),
        ({"name": "12"}, "name-invalid"),
    ],
)
async def test_a_deployment_that_cannot_be_is_refused(world, change, code):
    with pytest.raises((Invalid, NotFound)) as caught:
        await world.wishes.create_deployment(NewDeployment(**{"name": "web-1", "image": "debian", **change}), ADA)
    assert caught.value.code == code


async def test_an_attempt_that_ended_is_never_changed_again(world, node):
    await deploying(world, node, PREPARE)
    work = await node.work()
    await node.report(work, "failed", message="first")
    ended = await node.attempt()
    for status in ("done", "failed", "running"):
        with pytest.raises(Conflict):
            await node.report(work, status, message="second")
    await world.passes(100_000)
    await node.firmware()
    assert await node.attempt() == ended
    assert ended.status is Status.FAILED


async def test_a_deleted_machine_is_new_when_it_comes_back(world, node):
    await node.boots_stack()
    old = (await node.seen()).id
    await world.wishes.delete_machine(old, ADA)
    assert await code_of(Denied, node.work()) == "session-unknown"
    await node.boots_stack()
    assert (await node.seen()).id != old
    assert await world.store.read(lambda db: machines.find(db, old)) is None


async def test_a_named_disk_that_is_gone_or_doubled_is_refused(world, node):
    node.disks = [disk("S1", content=FULL), disk("S1")]
    await node.usable()
    await world.deploy(disk="S1")
    with pytest.raises(Conflict, match="2 disks"):
        await world.act("start")
    await world.deploy("web-2", disk="S9")
    with pytest.raises(Conflict, match="no disk with serial or WWN 'S9'"):
        await world.act("start", "web-2")


async def test_a_4kn_disk_and_a_small_one_are_refused_for_a_512_byte_image(world, node):
    node.disks = [disk("A", sector_size=4096), disk("B", size=1 << 20), disk("C", read_only=True)]
    await node.usable()
    await world.deploy()
    with pytest.raises(Conflict) as caught:
        await world.act("start")
    for reason in ("4096-byte sectors", "the image needs", "is read-only"):
        assert reason in caught.value.message


async def test_a_machine_and_a_redemption_that_do_not_know_each_other(world, node):
    """A token is good for the machine that it was given to, whatever MAC comes with it."""
    boot = await node.firmware()
    redemption = Redemption(boot.token, secrets.token_hex(32), boot.nonce, OTHER, (), None, "bios")
    welcome = await world.fleet.redeem(redemption, "10.77.0.99")
    assert welcome.machine == (await node.seen()).id
    stale = Report("no such attempt", PREPARE, "done", 0.0, "", "", {})
    assert await code_of(Conflict, world.fleet.report(redemption.machine_token, stale)) == "stale-step"


async def test_a_decision_to_boot_the_disk_is_kept_for_grub_and_forgotten_after(world, node):
    await node.active()
    await boots_disk(node)
    assert world.fleet.boots.disk_decided[node.mac] == LocalDisk("1111-2222", "3333-4444")
    await world.act("stop")
    await node.obeys()
    await node.boots_stack()
    assert node.mac not in world.fleet.boots.disk_decided


async def test_a_hand_over_whose_answer_was_lost_may_be_reported_again_and_nothing_else(world, node):
    await node.usable()
    await world.deploy()
    await world.act("start")
    await node.installs(until="configure")
    work = await node.step(HAND_OVER)
    assert await node.report(work, "done", result={"method": "kexec"})
    with pytest.raises(Denied):
        await node.report(work, "failed")
    with pytest.raises(Denied):
        await node.work()
    with pytest.raises(Denied):
        await world.fleet.report("0" * 64, Report(work.attempt, HAND_OVER, "done", 1.0, "", "", {}))
