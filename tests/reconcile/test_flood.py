"""What strangers and single machines can make us store: bounded, however long they go on."""

import pytest
from fleet_world import Played

from appliance.errors import ApplianceError, Invalid
from appliance.machine import MacAddress
from appliance.netboot.policy import MaintenanceStack
from appliance.reconcile import boots, upkeep
from appliance.reconcile.agents import RESULT_BYTES
from appliance.reconcile.boots import NEW_AT_ONCE
from appliance.reconcile.upkeep import FORGET_SECONDS, Upkeep
from appliance.reconcile.wishes import MachineChange, NewDeployment
from appliance.store import events
from appliance.store.documents import rows
from appliance.store.tokens import KEEP_BOOTS, KEEP_RESIDENTS
from appliance.workflow import CONFIGURE, GROW, HAND_OVER, PREPARE, WRITE, Status
from tests.people import ADA


async def count(world, table):
    (row,) = await world.store.read(lambda db: rows(db, f"SELECT count(*) FROM {table}"))
    return row[0]


def stranger(world, number):
    return Played(world, MacAddress(f"52:54:00:01:{number >> 8:02x}:{number & 255:02x}"), None)


async def test_only_so_many_new_machines_are_enlisted_at_once_and_the_others_wait(world, monkeypatch):
    monkeypatch.setattr(boots, "NEW_AT_ONCE", 5)
    world.__post_init__()
    for number in range(5):
        await stranger(world, number).firmware()
    for number in range(5, 12):
        with pytest.raises(ApplianceError) as refused:
            await stranger(world, number).firmware()
        assert refused.value.code == "enlist-busy"
    assert len(await world.machines()) == 5
    assert len(await world.events("daemon.trouble")) == 1
    await stranger(world, 0).firmware()  # known by now
    world.now += 60
    boot = await stranger(world, 11).firmware()
    assert boot.spec == MaintenanceStack(armed=False)
    assert NEW_AT_ONCE >= 1000, "a hall is switched on at once"


async def test_machines_that_never_came_up_are_forgotten(world, node):
    await node.boots_stack()
    silent = [stranger(world, number) for number in range(8)]
    for each in silent:
        await each.firmware()
    names = [(await each.seen()).name for each in silent]
    for name, change in (
        (names[1], MachineChange(name="mine")),
        (names[2], MachineChange(notes="on order")),
        (names[3], MachineChange(maintenance=False)),
        (names[6], MachineChange(hand_over="reboot")),
        (names[7], MachineChange(tags=["rack-3"])),
    ):
        await world.wishes.change_machine(name, change, ADA)
    await world.wishes.create_deployment(NewDeployment("web-1", "debian", machine=names[4]), ADA)
    caring = Upkeep(world.store, world.bus, lambda: world.now)
    world.now += FORGET_SECONDS - 10
    await silent[5].firmware()
    await caring.round()
    assert len(await world.machines()) == 9
    world.now += 20
    await caring.round()
    kept = {machine.name for machine in await world.machines()}
    assert names[0] not in kept
    assert kept >= {"mine", names[2], names[3], names[5], names[6], names[7], (await node.seen()).name}
    (said,) = await world.events("machine.deleted")
    assert names[0] in said.text


async def test_many_are_forgotten_in_slices(world, monkeypatch):
    monkeypatch.setattr(upkeep, "SLICE", 3)
    for number in range(10):
        await stranger(world, number).firmware()
    world.now += 2 * FORGET_SECONDS
    await Upkeep(world.store, world.bus, lambda: world.now).round()
    assert await world.machines() == []


async def test_events_are_pruned_in_slices_until_all_is_done(world, monkeypatch):
    monkeypatch.setattr(events, "SLICE", 4)
    monkeypatch.setattr(events, "KEEP_PER_MACHINE", 3)
    played = stranger(world, 1)
    for _ in range(20):
        await played.firmware()
    await Upkeep(world.store, world.bus, lambda: world.now).round()
    machine = (await played.seen()).id
    assert len(await world.store.read(lambda db: events.query(db, machine=machine))) == 3


async def test_one_machine_that_asks_without_end_fills_neither_tokens_nor_timeline(world, node):
    await node.usable()
    for _ in range(300):
        await node.firmware()
        await node.firmware(proven=False)
    assert await count(world, "boot_tokens") <= 2 * KEEP_BOOTS
    assert len(await world.events("script.served")) < 100
    world.now += 3600
    await node.firmware()
    assert "more were not told" in (await world.events("script.served"))[-1].text


async def test_nobody_pushes_the_token_of_a_machine_out(world, node):
    boot = await node.firmware()
    for _ in range(5 * KEEP_BOOTS):
        await node.firmware(proven=False)
    await node.redeem(boot)


async def test_a_step_that_is_fetched_again_and_again_leaves_few_tokens(world, node):
    await node.usable()
    await world.deploy()
    await world.act("start")
    await node.step(PREPARE)
    works = [await node.work() for _ in range(50)]
    token = works[-1].params["image"]["token"]
    assert await count(world, "download_tokens") <= 2
    await world.fleet.image(token, 1)
    await node.report(works[-1])
    await node.step(GROW)
    for _ in range(50):
        await node.work()
    assert await count(world, "resident_tokens") <= KEEP_RESIDENTS
    await node.step(CONFIGURE)
    await node.step(HAND_OVER)
    await node.reports_active()


async def test_download_tokens_of_ended_attempts_go(world, node):
    await node.usable()
    await world.deploy()
    for _ in range(3):
        await world.act("retry" if (await node.attempt()) else "start")
        await node.step(PREPARE)
        work = await node.work()
        assert work.step == WRITE
        await node.report(work, "failed", message="x")
    assert (await node.attempt()).status is Status.FAILED
    assert await count(world, "download_tokens") <= 2


async def test_a_result_has_a_size(world, node):
    await node.usable()
    await world.deploy()
    await world.act("start")
    work = await node.work()
    with pytest.raises(Invalid) as refused:
        await node.report(work, result={"disk": "x" * RESULT_BYTES})
    assert refused.value.code == "result-too-large"
    await node.report(work, result={"disk": {"model": "x" * (RESULT_BYTES - 1000)}})
    assert (await node.work()).step == WRITE
