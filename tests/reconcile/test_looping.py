"""A machine that boots over and over outside an attempt is named, once, with what to look at."""

from fleet_world import boots_disk

from appliance.netboot.policy import MaintenanceStack


async def loops(world, node, times, seconds=60.0):
    for _ in range(times):
        world.now += seconds
        await node.firmware()


async def test_a_stack_that_never_reports_is_named_at_the_third_boot_and_not_again(world, node):
    await loops(world, node, 2)
    assert await world.events("machine.looping") == []
    await loops(world, node, 10)
    [event] = await world.events("machine.looping")
    machine = await node.seen()
    assert (event.machine, event.at) == (machine.id, 1_000_180.0)
    assert event.text == f"{machine.name} boots over and over: 3 boots in 2 minutes, and none of them reported"
    assert "768 MiB" in event.reason
    assert (await node.firmware()).spec == MaintenanceStack(armed=False)


async def test_a_disk_that_never_reports_is_named_and_still_booted(world, node):
    await node.active()
    await loops(world, node, 4)
    [event] = await world.events("machine.looping")
    assert "boot loader" in event.reason
    await boots_disk(node)


async def test_a_sign_of_life_ends_the_loop_and_the_next_one_is_named_again(world, node):
    await loops(world, node, 2)
    await node.boots_stack()
    assert len(await world.events("machine.looping")) == 1
    await loops(world, node, 2)
    await node.boots_stack()
    await loops(world, node, 2)
    assert len(await world.events("machine.looping")) == 2
    await loops(world, node, 1)
    assert len(await world.events("machine.looping")) == 3


async def test_a_system_that_reports_each_time_is_in_no_loop(world, node):
    await node.active()
    for number in range(6):
        await loops(world, node, 1)
        await node.reports_active(f"boot-{number}")
    assert await world.events("machine.looping") == []


async def test_a_system_without_a_resident_that_is_switched_on_each_morning_is_in_no_loop(world, node):
    await node.active()
    await loops(world, node, 10, seconds=8 * 3600.0)
    assert await world.events("machine.looping") == []


async def test_an_attempt_names_its_own_loop(world, node):
    await node.usable()
    await world.deploy()
    world.now += 1000
    await world.act("start")
    await loops(world, node, 3)
    assert (await node.seen()).failed_code == "boot-loop"
    await loops(world, node, 3)
    assert await world.events("machine.looping") == []
