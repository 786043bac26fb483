"""Into rescue and out of it, from every state, and whatever restarts meanwhile."""

import pytest
from fleet_world import SERVER, Played, state

from appliance.errors import ApplianceError, Conflict, Denied, Invalid
from appliance.machine import MacAddress
from appliance.netboot.fleet import Report
from appliance.netboot.policy import MaintenanceStack
from appliance.reconcile.consequences import Action, MachineAction
from appliance.reconcile.wishes import MachineChange
from appliance.rescue import fingerprint
from appliance.store import tasks
from appliance.workflow import PREPARE
from tests.people import ADA

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHhhbXBsZWtleWV4YW1wbGVrZXlleGFtcGxla2V5 ada"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFU8bzEWXL8tLMHoHFtQCtNTZ2yQSTVcKXjXJYgWJgVh"


async def rescue(world, node):
    task = await world.wishes.rescue((await node.seen()).id, [KEY], ADA)
    await world.loop.round()
    return task


async def end(world, node):
    task = await world.wishes.end_rescue((await node.seen()).id, ADA)
    await world.loop.round()
    return task


async def opens(node, host_keys=(HOST_KEY,)):
    """The agent opens SSH."""
    work = await node.work()
    assert work.step == "rescue"
    await node.report(work, result={"host_keys": list(host_keys)})
    return work


async def rescued(world, node):
    await rescue(world, node)
    return await opens(node)


async def task_status(world, task):
    return str((await world.store.read(lambda db: tasks.get(db, str(task.id)))).status)


async def test_an_idle_machine_there_and_back(world, node):
    await node.usable()
    task = await rescue(world, node)
    assert (await state(node), await task_status(world, task)) == ("rescuing", "running")
    work = await opens(node)
    assert (work.kind, work.params) == ("rescue", {"ssh_keys": [KEY]})
    machine = await node.seen()
    assert (machine.state, await task_status(world, task)) == ("rescue", "done")
    assert (machine.rescue.since, machine.rescue.address) == (world.now, "10.77.0.50")
    assert machine.rescue.fingerprints == (fingerprint(HOST_KEY),)

    task = await end(world, node)
    assert await state(node) == "inspecting"
    await node.step("restart")
    with pytest.raises(Denied):
        await node.work()
    assert await node.boots_stack() == ("idle", machine.name)
    after = await node.seen()
    assert (after.rescue, await task_status(world, task)) == (None, "done")
    assert await node.work() is None


async def test_a_running_system_is_shut_down_first_and_can_be_started_again(world, node):
    await node.active()
    await rescue(world, node)
    assert await state(node) == "rescuing"
    await node.obeys()
    await node.boots_stack()
    await opens(node)
    assert await state(node) == "rescue"
    assert (await world.deployment()).wanted == "stopped"
    await end(world, node)
    await node.step("restart")
    await node.boots_stack()
    assert await state(node) == "stopped"
    await world.passes(60)
    assert await state(node) == "stopped", "nothing starts by itself"
    assert (await world.wishes.consequences("web-1", Action.START)).confirm is None
    await world.act("start")
    await node.step("hand-over")
    await node.reports_active("b2")
    assert await state(node) == "active"


async def test_a_new_machine_in_maintenance_can_be_rescued_even_when_it_is_off(world, node):
    await node.firmware()
    assert await state(node) == "discovered"
    await rescue(world, node)
    await node.boots_stack()
    await opens(node)
    assert await state(node) == "rescue"
    await end(world, node)
    await node.step("restart")
    await node.boots_stack()
    assert (await state(node), (await node.seen()).maintenance) == ("idle", True)


async def test_a_machine_that_restarts_by_itself_opens_ssh_again_with_the_same_keys(world, node):
    await node.usable()
    await rescued(world, node)
    boot = await node.firmware()
    assert boot.spec == MaintenanceStack(armed=False)
    assert "SSH opens again" in boot.reason
    assert (await node.seen()).rescue.fingerprints == (), "those of before are worthless"
    await world.loop.round()
    await node.redeem(boot)
    await world.fleet.take_inventory(node.token, node.inventory())
    assert (await opens(node)).params == {"ssh_keys": [KEY]}
    assert await state(node) == "rescue"
    assert (await node.seen()).rescue.since == world.now


async def test_a_restart_while_it_opens_begins_the_step_anew(world, node):
    await node.usable()
    await rescue(world, node)
    assert (await node.work()).step == "rescue"
    await node.boots_stack()
    await opens(node)
    assert await state(node) == "rescue"


async def test_the_machine_leaves_by_a_restart_of_its_own_as_well(world, node):
    await node.usable()
    await rescued(world, node)
    await end(world, node)
    await node.boots_stack()
    assert await state(node) == "idle"
    assert (await node.attempt()).results["restart"] == {"seen": "boot"}


async def test_a_lost_answer_to_the_restart_is_given_again(world, node):
    await node.usable()
    await rescued(world, node)
    await end(world, node)
    work = await node.work()
    await node.report(work)
    await node.report(work)
    assert (await node.attempt()).index == 1


async def test_nothing_else_is_done_with_a_machine_in_rescue(world, node):
    await node.usable()
    await rescued(world, node)
    await world.deploy()
    with pytest.raises(Conflict, match="it is rescue"):
        await world.act("start")
    with pytest.raises(Conflict, match="in rescue already"):
        await rescue(world, node)
    await world.loop.round()
    assert await state(node) == "rescue"


async def test_a_machine_that_is_about_to_be_rescued_is_not_chosen(world, node):
    await node.usable()
    await world.wishes.rescue((await node.seen()).id, [KEY], ADA)
    await world.deploy()
    with pytest.raises(Conflict, match="about to be rescued"):
        await world.wishes.act("web-1", Action.START, None, ADA)


@pytest.mark.parametrize("action", [Action.START, Action.STOP, Action.RELEASE, Action.REDEPLOY, Action.RETRY])
async def test_its_deployment_waits_until_the_rescue_has_ended(world, node, action):
    await node.active()
    await rescue(world, node)
    await node.obeys()
    await node.boots_stack()
    await opens(node)
    assert "end the rescue first" in (await world.wishes.consequences("web-1", action)).refused


async def test_what_a_stack_with_somebody_else_in_it_says_of_its_hardware_is_dropped(world, node):
    await node.usable()
    await rescued(world, node)
    stranger = {**node.inventory(), "nics": [{"mac": node.mac}, {"mac": "52:54:00:00:00:99"}]}
    assert (await world.fleet.take_inventory(node.token, stranger))[0] == "rescue"
    assert (await node.seen()).macs == (node.mac,)


async def test_a_failed_rescue_is_tried_again_by_the_user_only_and_its_stack_is_not_trusted(world, node):
    await node.usable()
    await rescue(world, node)
    work = await node.work()
    await node.report(work, "failed", code="rescue-failed", message="no host key")
    machine = await node.seen()
    assert (machine.state, machine.failed_from, machine.rescue) == ("failed", "rescuing", None)
    await world.passes(60)
    assert await state(node) == "failed"
    await rescued(world, node)
    assert await state(node) == "rescue"


async def test_a_failed_rescue_of_a_deployment_blocks_it_until_it_is_ended(world, node):
    await node.active()
    await rescue(world, node)
    await node.obeys()
    await node.boots_stack()
    work = await node.work()
    await node.report(work, "failed", code="rescue-failed", message="no host key")
    for action in (Action.RETRY, Action.RELEASE):
        assert "end the rescue first" in (await world.wishes.consequences("web-1", action)).refused
    await end(world, node)
    assert await state(node) == "inspecting"
    await node.step("restart")
    await node.boots_stack()
    assert await state(node) == "stopped"


async def test_a_rescue_whose_system_does_not_go_down_ends_by_shutting_it_down(world, node):
    await node.active()
    await rescue(world, node)
    await world.passes(3600)
    assert ((await node.seen()).failed_from, await state(node)) == ("rescuing", "failed")
    await end(world, node)
    await node.obeys()
    await node.boots_stack()
    assert await state(node) == "stopped"


async def test_a_failed_deploy_is_rescued_and_written_anew_afterwards_with_a_warning(world, node):
    await node.usable()
    await world.deploy()
    await world.act("start")
    work = await node.step(PREPARE)
    await world.fleet.report(node.token, Report(work.attempt, "write-image", "failed", 0, "no room", "x", {}))
    assert await state(node) == "failed"
    await rescued(world, node)
    await end(world, node)
    await node.step("restart")
    await node.boots_stack()
    assert await state(node) == "stopped"
    foreseen = await world.wishes.consequences("web-1", Action.START)
    assert (foreseen.confirm, foreseen.destroys) == ("web-1", True)
    await world.act("start")
    assert await state(node) == "deploying"


async def test_a_machine_in_rescue_that_is_called_broken_is_believed_nothing_more(world, node):
    await node.usable()
    await rescued(world, node)
    await world.wishes.change_machine((await node.seen()).id, MachineChange(broken=True), ADA)
    machine = await node.seen()
    assert (machine.state, machine.rescue) == ("broken", None)
    with pytest.raises(Denied):
        await world.fleet.work(node.token, SERVER)


async def test_a_rescue_that_has_not_begun_is_just_taken_back(world, node):
    await node.usable()
    key = (await node.seen()).id
    first = await world.wishes.rescue(key, [KEY], ADA)
    second = await world.wishes.end_rescue(key, ADA)
    await world.loop.round()
    assert (await state(node), (await node.seen()).rescue) == ("idle", None)
    assert (await task_status(world, first), await task_status(world, second)) == ("cancelled", "done")


@pytest.mark.parametrize("keys", [[], ["nonsense"], [KEY, "-----BEGIN OPENSSH PRIVATE KEY-----"]])
async def test_keys_that_are_none_are_refused(world, node, keys):
    await node.usable()
    with pytest.raises(Invalid) as caught:
        await world.wishes.rescue((await node.seen()).id, keys, ADA)
    assert caught.value.field == "ssh_keys"


async def test_what_cannot_be(world, node):
    await node.usable()
    key = (await node.seen()).id
    with pytest.raises(Conflict, match="not in rescue"):
        await end(world, node)
    await world.wishes.change_machine(key, MachineChange(broken=True), ADA)
    with pytest.raises(Conflict, match="is broken"):
        await rescue(world, node)


async def test_while_something_goes_on_it_waits(world, node):
    await node.usable()
    await world.deploy()
    await world.act("start")
    with pytest.raises(Conflict, match="is deploying"):
        await rescue(world, node)


async def test_host_keys_are_read_with_care(world, node):
    await node.usable()
    await rescue(world, node)
    bad = ["x", 5, None, "ssh-ed25519 " + "\x1b[2J" * 20, "ssh-ed25519 A", HOST_KEY + " comment", HOST_KEY]
    await opens(node, bad)
    assert (await node.seen()).rescue.host_keys == (HOST_KEY,)


async def test_the_words_before_it(world, node):
    await node.active()
    key = (await node.seen()).id
    foreseen = await world.wishes.machine_consequences(key, MachineAction.RESCUE)
    assert foreseen.confirm is None
    assert foreseen.texts[0] == "web-1 is shut down if it runs."
    assert "not in rescue" in (await world.wishes.machine_consequences(key, MachineAction.END_RESCUE)).refused
    assert "web-1" in (await world.wishes.machine_consequences(key, MachineAction.DELETE)).refused


async def test_two_machines_do_not_get_in_each_others_way(world, node):
    other = Played(world, MacAddress("52:54:00:00:00:02"), "11111111-2222-3333-4444-555555555502")
    await node.usable()
    await other.usable()
    await rescued(world, node)
    assert await other.work() is None
    with pytest.raises(ApplianceError):
        await world.fleet.report(other.token, Report((await node.attempt()).id, "rescue", "done", 1, "", "", {}))


def test_a_fingerprint_is_what_ssh_shows():
    made = "SHA256:"
    assert fingerprint(HOST_KEY).startswith(made)
    assert fingerprint(HOST_KEY).endswith("(ssh-ed25519)")
