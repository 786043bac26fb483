"""Requests in the name of a machine that are not its own: they get a boot, and change nothing."""

import pytest
from fleet_world import FIRST, Played, boots_disk, state

from appliance.errors import Denied
from appliance.machine import MacAddress
from appliance.netboot.fleet import Report
from appliance.netboot.policy import LocalDisk, MaintenanceStack, NextEntry
from appliance.reconcile.boots import IMPOSTURES
from appliance.store import machines, tokens
from appliance.store.documents import rows
from appliance.workflow import GROW, SHUT_DOWN, WRITE, Status

OTHER = MacAddress("52:54:00:00:00:02")


async def stored(world):
    """All that the machine, its attempts and deployments are."""
    sql = ("SELECT doc FROM machines", "SELECT doc FROM attempts", "SELECT doc FROM deployments")
    return [await world.store.read(lambda db, each=each: rows(db, each)) for each in sql]


async def deploying(world, node, until=WRITE):
    await node.usable()
    await world.deploy()
    await world.act("start")
    await node.installs(until)


async def test_an_active_machine_keeps_its_firmware_and_address(world, node):
    await node.active()
    before = await stored(world)
    world.now += 100
    assert (await node.firmware(proven=False)).spec == LocalDisk("1111-2222", "3333-4444")
    assert await stored(world) == before
    (said,) = await world.events("machine.conflict")
    assert said.machine == (await node.seen()).id
    assert "10.77.0.66" in said.reason


async def test_the_next_boot_of_a_machine_that_shuts_down_is_its_own(world, node):
    await node.active()
    await world.act("release")
    command = await world.fleet.resident_wait(node.resident, "b1")
    before = await stored(world)
    boot = await node.firmware(proven=False)
    assert boot.spec == MaintenanceStack(armed=False)
    assert await stored(world) == before
    await world.fleet.resident_report(node.resident, command.attempt, "done", "")
    assert (await node.firmware()).spec == MaintenanceStack(armed=True)


@pytest.mark.parametrize("times", [1, 10])
async def test_a_deploy_goes_on_whoever_asks_meanwhile(world, node, times):
    await deploying(world, node)
    before = await stored(world)
    for _ in range(times):
        boot = await node.firmware(proven=False)
        assert boot.spec == MaintenanceStack(armed=False)
        thief = Played(world, FIRST)
        with pytest.raises(Denied) as refused:
            await thief.redeem(boot)
        assert refused.value.code == "token-unproven"
    assert await stored(world) == before
    await node.step(GROW)


async def test_an_armed_boot_is_still_there_for_the_machine(world, node):
    await node.usable()
    world.now += 10_000  # off since long ago
    await world.deploy()
    await world.act("start")
    assert (await node.attempt()).armed
    assert (await node.firmware(proven=False)).spec == MaintenanceStack(armed=False)
    assert (await node.firmware()).spec == MaintenanceStack(armed=True)
    assert (await node.attempt()).status is Status.LIVE


async def the_thief_has_a_session(world, node):
    """Another in the name of a machine that is usable, and has no session of its own just then."""
    await node.usable()
    machine = await node.seen()
    await world.store.write(lambda db: tokens.end_sessions(db, machine.id))
    thief = Played(world, FIRST)
    await thief.redeem(await node.firmware(proven=False))
    return thief


def with_another_nic(played):
    inventory = played.inventory()
    return {**inventory, "firmware": "uefi", "disks": [], "nics": [*inventory["nics"], {"mac": OTHER}]}


async def test_nobody_ends_the_session_of_a_machine(world, node):
    await node.usable()
    world.now += 100
    before = await stored(world)
    thief = Played(world, FIRST)
    with pytest.raises(Denied) as refused:
        await thief.redeem(await node.firmware(proven=False))
    assert refused.value.code == "token-unproven"
    assert await world.fleet.state(node.token) == "idle"
    assert await stored(world) == before


async def test_what_an_unproven_agent_says_changes_nothing(world, node):
    thief = await the_thief_has_a_session(world, node)
    before = await stored(world)
    sql = "SELECT machine, doc FROM inventories"
    inventory = await world.store.read(lambda db: rows(db, sql))
    assert inventory
    world.now += 100
    name = (await node.seen()).name
    assert await world.fleet.take_inventory(thief.token, with_another_nic(thief)) == ("idle", name)
    thief.mac = OTHER
    assert await world.store.read(lambda db: machines.by_mac(db, OTHER)) is None, "it would be proven from then on"
    assert await world.store.read(lambda db: rows(db, sql)) == inventory
    assert await stored(world) == before


async def test_a_new_machine_becomes_usable_by_itself_only(world, node):
    boot = await node.firmware()
    thief = Played(world, FIRST)
    await thief.redeem(await node.firmware(proven=False))
    await world.fleet.take_inventory(thief.token, with_another_nic(thief))
    assert await state(node) == "discovered"
    await node.redeem(boot)
    await world.fleet.take_inventory(node.token, node.inventory())
    assert await state(node) == "idle"
    with pytest.raises(Denied):
        await world.fleet.state(thief.token)


async def test_no_attempt_counts_on_a_session_without_proof(world, node):
    thief = await the_thief_has_a_session(world, node)
    await world.deploy()
    await world.act("start")
    attempt = await node.attempt()
    assert attempt.armed, "it is to restart first"
    assert await thief.work() is None
    with pytest.raises(Denied):
        await world.fleet.report(thief.token, Report(attempt.id, attempt.step.name, "failed", 0.0, "", "", {}))
    assert await node.attempt() == attempt
    await node.boots_stack()
    await node.installs()


async def test_a_system_that_runs_is_shut_down_whoever_has_a_session_without_proof(world, node):
    await node.active()
    await world.act("stop")
    command = await world.fleet.resident_wait(node.resident, "b1")
    await world.fleet.resident_report(node.resident, command.attempt, "failed", "busy")
    assert await state(node) == "failed"
    await Played(world, FIRST).redeem(await node.firmware(proven=False))
    await world.act("release")
    assert (await node.attempt()).step.name == SHUT_DOWN


async def test_its_token_used_twice_puts_nobody_into_quarantine(world, node):
    thief = await the_thief_has_a_session(world, node)
    boot = await node.firmware(proven=False)
    await thief.redeem(boot)
    with pytest.raises(Denied):
        await thief.redeem(boot)
    assert not (await node.seen()).maintenance


async def test_a_stranger_without_proof_is_not_enlisted(world):
    stranger = Played(world, OTHER, None)
    assert (await stranger.firmware(proven=False)).spec == NextEntry()
    assert await world.machines() == []
    assert (await stranger.firmware()).spec == MaintenanceStack(armed=False)
    assert await state(stranger) == "discovered"


async def test_it_takes_no_interface_to_another_board(world, node):
    await node.boots_stack()
    other = Played(world, FIRST, "99999999-2222-3333-4444-555555555509")
    await other.firmware(proven=False)
    assert len(await world.machines()) == 1
    assert len(await world.events("machine.conflict")) == 1


async def test_the_disk_is_found_by_tftp_before_and_after(world, node):
    await node.active()
    await boots_disk(node)
    await node.firmware(proven=False)
    assert world.fleet.boots.disk_decided[FIRST] == LocalDisk("1111-2222", "3333-4444")
    await world.act("release")
    await node.firmware(proven=False)
    assert world.fleet.boots.disk_decided[FIRST] == LocalDisk("1111-2222", "3333-4444"), "nothing is changed"


async def test_it_is_no_boot_loop_and_fills_no_timeline(world, node):
    await node.usable()
    for _ in range(5 * IMPOSTURES):
        await node.firmware(proven=False)
    assert await world.events("machine.looping") == []
    assert len(await world.events("machine.conflict")) == IMPOSTURES
    assert len(await world.events("script.served")) == 1
    world.now += 3600
    await node.firmware(proven=False)
    assert f"({4 * IMPOSTURES} more were not told)" in (await world.events("machine.conflict"))[-1].text
