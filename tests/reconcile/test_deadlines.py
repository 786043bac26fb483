"""Silence: what was waited for, who is given up, and who comes up after all."""

import asyncio

from fleet_world import RESULTS, boots_disk, deploying, state

from appliance.reconcile import residents
from appliance.reconcile.wishes import MachineChange
from appliance.workflow import GROW, HAND_OVER, MINUTE, PREPARE
from tests.people import ADA


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
