"""From the first packet to released again, and every turn a good day can take."""

import asyncio

import pytest
from fleet_world import FULL, Played, boots_disk, disk, state

from appliance.errors import Conflict, Denied
from appliance.machine import MacAddress
from appliance.netboot.policy import MaintenanceStack, NextEntry
from appliance.reconcile.consequences import Action
from appliance.reconcile.wishes import MachineChange
from appliance.workflow import CONFIGURE, GROW, PREPARE, WRITE
from tests.people import ADA


async def test_the_whole_life_of_a_deployment(world, node):
    boot = await node.firmware()
    assert boot.spec == MaintenanceStack(armed=False)
    assert (await state(node), (await node.seen()).maintenance) == ("discovered", True)

    await node.redeem(boot)
    assert await world.fleet.take_inventory(node.token, node.inventory()) == ("idle", "node-000001")
    assert await node.work() is None

    await world.wishes.change_machine("node-000001", MachineChange(maintenance=False), ADA)
    await world.deploy(ssh_keys=("ssh-ed25519 AAAA ada",))
    await world.act("start")
    assert await state(node) == "deploying"
    assert await world.fleet.poll(node.poll), "come"

    work = await node.step(PREPARE)
    assert (work.params["disk"]["serial"], work.params["owned"]) == ("S1", False)
    work = await node.step(WRITE)
    token = work.params["image"]["token"]
    assert await world.fleet.image(token, 1) == world.content
    await node.step(GROW)
    work = await node.step(CONFIGURE)
    assert work.params["hostname"] == "web-1"
    assert work.params["ssh_keys"] == ["ssh-ed25519 AAAA ada"]
    await node.step("hand-over")
    with pytest.raises(Denied):  # the maintenance stack is left
        await node.work()
    await node.reports_active()
    assert await state(node) == "active"
    with pytest.raises(Denied):
        await world.fleet.image(token, 1)
    assert (await world.deployment()).host_keys == ("ssh-ed25519 FRESH",)
    await boots_disk(node)

    await world.act("stop")
    assert await state(node) == "stopping"
    await node.obeys()
    await node.boots_stack()
    assert await state(node) == "stopped"
    assert (await world.deployment()).machine == (await node.seen()).id, "reserved"

    await world.act("start")
    assert await state(node) == "starting"
    await node.step("hand-over")
    await node.reports_active("b2")
    assert await state(node) == "active"

    await world.act("release")
    await node.obeys()
    await node.boots_stack()
    assert await state(node) == "idle"
    released = await world.deployment()
    assert (released.machine, released.installed, released.disk) == (None, None, None)
    with pytest.raises(Denied):  # its resident is nobody's
        await node.reports_active()


async def test_the_timeline_tells_it_all_with_reasons(world, node):
    await node.active()
    kinds = [event.kind for event in await world.events()]
    for kind in ("machine.new", "script.served", "agent.started", "inventory.taken", "attempt.started"):
        assert kind in kinds
    assert kinds.count("step.done") == 6
    assert kinds.index("attempt.done") < kinds.index("machine.state", kinds.index("attempt.done"))
    assert all(event.reason for event in await world.events("script.served"))


async def test_a_wiping_release_wipes_only_the_deployments_disk(world, node):
    await node.waits_for_its_wipe()
    assert await state(node) == "releasing"
    work = await node.work()
    assert (work.params["disk"]["serial"], work.params["owned"]) == ("S1", True)
    assert work.params["method"] == "overwrite"
    disk = {"serial": "S1", "wwn": None, "model": "Fast 1", "bytes": 1 << 30}
    await node.report(work, result={"disk": disk, "method": "overwrite", "verified": True, "seconds": 60})
    assert await state(node) == "idle"
    (record,) = (await node.seen()).wiped
    assert (record.serial, record.method, record.verified, record.at) == ("S1", "overwrite", True, world.now)
    (event,) = await world.events("disk.wiped")
    assert event.text.startswith("Fast 1, serial S1 is wiped by overwriting it with zeros")
    assert event.machine == (await node.seen()).id


async def test_a_release_before_anything_was_written_wipes_nothing(world, node):
    await node.usable()
    await world.deploy(wipe_on_release=True)
    await world.wishes.act("web-1", Action.START, None, ADA)
    await world.act("release")
    assert await state(node) == "idle"
    assert await node.work() is None
    assert (await world.deployment()).machine is None


async def test_redeploy_writes_anew_and_says_that_the_disk_is_ours(world, node):
    await node.active()
    await world.act("redeploy")
    assert await state(node) == "deploying"
    await node.obeys()
    await node.boots_stack()
    work = await node.step(PREPARE)
    assert work.params["owned"] is True
    for name in (WRITE, GROW, CONFIGURE, "hand-over"):
        await node.step(name)
    await node.reports_active()
    assert (await state(node), (await world.deployment()).installed.generation) == ("active", 2)


async def test_redeploy_and_release_must_be_confirmed_by_name(world, node):
    await node.active()
    for action in (Action.REDEPLOY, Action.RELEASE):
        with pytest.raises(Conflict) as caught:
            await world.wishes.act("web-1", action, "other", ADA)
        assert caught.value.code == "confirmation-needed"
        assert "S1" in caught.value.message
    assert await state(node) == "active"


async def test_a_disk_with_content_is_never_chosen_by_itself(world, node):
    node.disks = [disk("FULL", content=FULL), disk("BIG", 9 << 30), disk("SMALL", 2 << 30), disk("TINY", 1 << 20)]
    await node.usable()
    await world.deploy()
    await world.act("start")
    assert (await world.deployment()).disk.serial == "SMALL"


async def test_without_an_empty_disk_nothing_starts_and_the_reason_is_said(world, node):
    node.disks = [disk("FULL", content=FULL)]
    await node.usable()
    await world.deploy()
    with pytest.raises(Conflict, match="ext4 'data'"):
        await world.act("start")
    assert await state(node) == "idle"


async def test_a_disk_with_content_that_was_named_needs_its_serial_typed(world, node):
    node.disks = [disk("FULL", content=FULL), disk("EMPTY")]
    await node.usable()
    await world.deploy(disk="FULL")
    with pytest.raises(Conflict) as caught:
        await world.wishes.act("web-1", Action.START, None, ADA)
    assert (caught.value.code, "ext4 'data'" in caught.value.message) == ("confirmation-needed", True)
    assert (await world.deployment()).machine is None
    await world.act("start", confirm="FULL")
    work = await node.step(PREPARE)
    assert (work.params["content"], work.params["owned"]) == ("f" * 64, False)


async def test_what_was_seen_on_the_disk_is_what_is_agreed_to(world, node):
    """Somebody filled it between the page and the confirmation: the serial that was typed was for something else."""
    node.disks = [disk("FULL", content=FULL)]
    await node.usable()
    await world.deploy(disk="FULL")
    shown = await world.wishes.consequences("web-1", Action.START)
    assert (shown.confirm, shown.content) == ("FULL", "f" * 64)
    node.disks = [disk("FULL", content={"empty": False, "fingerprint": "a" * 64, "summary": "ext4 'the books'"})]
    await node.boots_stack()
    for seen, code, field in ((shown.content, "content-changed", "content"), ("", "confirmation-needed", "content")):
        with pytest.raises(Conflict, match="ext4 'the books'") as caught:
            await world.wishes.act("web-1", Action.START, "FULL", ADA, seen)
        assert (caught.value.code, caught.value.field) == (code, field)
    assert (await world.deployment()).machine is None
    await world.act("start", confirm="FULL")
    assert (await world.deployment()).disk.content == "a" * 64


async def test_an_empty_disk_that_was_filled_meanwhile_is_not_overwritten(world, node):
    node.disks = [disk("S1")]
    await node.usable()
    await world.deploy(disk="S1")
    shown = await world.wishes.consequences("web-1", Action.START)
    assert (shown.confirm, shown.content) == (None, "")
    node.disks = [disk("S1", content=FULL)]
    await node.boots_stack()
    with pytest.raises(Conflict) as caught:
        await world.wishes.act("web-1", Action.START, shown.confirm, ADA, shown.content)
    assert (caught.value.code, caught.value.field) == ("confirmation-needed", "confirm")


async def test_two_starts_at_once_never_take_the_same_machine(world):
    nodes = [
        Played(world, MacAddress(f"52:54:00:00:00:0{n}"), f"11111111-2222-3333-4444-55555555550{n}") for n in "123"
    ]
    for each in nodes:
        await each.usable()
    for n in range(5):
        await world.deploy(f"web-{n}")
    results = await asyncio.gather(
        *(world.wishes.act(f"web-{n}", Action.START, None, ADA) for n in range(5)), return_exceptions=True
    )
    refused = [each for each in results if isinstance(each, Conflict)]
    taken = [each.machine for each in results if not isinstance(each, Exception)]
    assert (len(refused), len(set(taken)), len(taken)) == (2, 3, 3)


async def test_a_start_takes_a_machine_that_is_there_before_one_that_is_off(world, node):
    await node.usable()
    await world.passes(1000)
    there = Played(world, MacAddress("52:54:00:00:00:02"), None)
    await there.usable()
    await world.deploy()
    await world.act("start")
    assert (await world.deployment()).machine == (await there.seen()).id


async def test_machines_in_maintenance_are_not_used(world, node):
    await node.boots_stack()
    await world.deploy()
    with pytest.raises(Conflict, match="in maintenance"):
        await world.act("start")


@pytest.mark.parametrize("policy", ["local-disk", "ignore"])
async def test_a_subnet_that_leaves_strangers_alone(world, node, policy):
    world.unknown["10.77.0.1"] = policy
    assert (await node.firmware()).spec == NextEntry()
    assert await world.machines() == []


async def test_a_stopped_machine_that_is_switched_on_by_hand_waits_in_the_stack(world, node):
    await node.active()
    await world.act("stop")
    await node.obeys()
    await node.boots_stack()
    await world.passes(1000)
    await node.boots_stack()
    assert await state(node) == "stopped"
    assert await node.work() is None


async def test_a_start_of_a_machine_that_is_off_waits_for_its_boot_and_goes_to_the_disk(world, node):
    await node.active()
    await world.act("stop")
    await node.obeys()
    await node.boots_stack()
    await world.passes(1000)
    await world.act("start")
    await boots_disk(node)
    await node.reports_active("b2")
    assert await state(node) == "active"


async def test_a_machine_called_broken_and_mended_keeps_the_data_of_its_deployment(world, node):
    """Once somebody wants it again it starts what is on its disk; it does not write it anew."""
    await node.active()
    await world.wishes.change_machine("node-000001", MachineChange(broken=True), ADA)
    assert (await node.firmware()).spec == MaintenanceStack(armed=False)
    await world.wishes.change_machine("node-000001", MachineChange(broken=False), ADA)
    await node.boots_stack()
    await world.loop.round()
    assert await state(node) == "idle", "nothing begins by itself"
    await world.act("start")
    assert await state(node) == "starting"
    await node.step("hand-over")
    await node.reports_active("b2")
    assert await state(node) == "active"


async def test_one_that_is_mended_and_started_while_its_system_runs_is_active_with_its_next_poll(world, node):
    """Its resident polls all the time and has nothing to announce: that it polls says that the system is up."""
    await node.active()
    await world.wishes.change_machine("node-000001", MachineChange(broken=True), ADA)
    await world.wishes.change_machine("node-000001", MachineChange(broken=False), ADA)
    await world.act("start")
    assert await state(node) == "starting"
    async with asyncio.TaskGroup() as tasks:
        poll = tasks.create_task(world.fleet.resident_wait(node.resident, "b1"))
        while not world.bell._waiting:
            await asyncio.sleep(0)
        assert (await state(node), (await node.attempt()).status) == ("active", "done")
        await world.act("stop")
        assert (await poll).command == "reboot"


async def test_names_of_users_and_machines_in_use_are_protected(world, node):
    await node.active()
    with pytest.raises(Conflict, match="assigned to web-1"):
        await world.wishes.delete_machine("node-000001", ADA)
    with pytest.raises(Conflict, match="on a machine"):
        await world.wishes.delete_deployment("web-1", ADA)


async def test_everything_survives_a_restart_of_the_daemon_at_every_step(world, node):
    """The loop, boots, agents and residents hold nothing that is not in the store."""
    await node.usable()
    await world.deploy()
    await world.act("start")
    for name in (PREPARE, WRITE, GROW, CONFIGURE, "hand-over"):
        node.world = world = type(world)(world.store, world.now + 1)
        await world.loop.round()
        await node.step(name)
    node.world = world = type(world)(world.store, world.now + 1)
    await world.fleet.boots.remember_disks()
    assert node.mac in world.fleet.boots.disk_decided
    await node.reports_active()
    assert await state(node) == "active"
