"""A restart by the hand-over initrd is no kexec that failed: what it told before says that its kernel ran."""

import asyncio
from contextlib import suppress

import pytest
from test_network_roots import configures, hands_over, starts

from appliance.netboot.policy import NetworkRoot
from appliance.reconcile.observations import Observations
from appliance.reconcile.projection import Projection
from appliance.screencode import Waits
from appliance.workflow import MINUTE


@pytest.fixture
async def live(world):
    return await world.image(200 << 20, "live", "squashfs")


async def screen_says(world, node, number):
    """What is told of its screen, and stored."""
    projection = Projection(world.store, world.bus, lambda name: None, lambda owner: None)
    machine = await node.seen()
    projection.machine_of[node.mac] = machine.id
    observations = Observations(world.store, world.bus, lambda: world.now, projection)
    observations.boot_screen(node.mac, number, "")
    with suppress(TimeoutError):
        async with asyncio.timeout(None) as until, asyncio.TaskGroup() as tasks:
            tasks.create_task(observations.run())
            while not await world.events("boot.trouble"):
                await asyncio.sleep(0)
            until.reschedule(0)


async def by_kexec(world, node):
    await starts(world, node)
    await configures(world, node)
    await hands_over(node)


@pytest.mark.parametrize("number", [Waits.REFUSED, Waits.VALUES, Waits.MEMORY, Waits.EXPORT])
async def test_its_kexec_went_well_and_is_used_again(world, node, live, number):
    await by_kexec(world, node)
    await screen_says(world, node, number)
    boot = await node.firmware()
    assert boot.spec == NetworkRoot(armed=True)
    assert "its kexec went well" in boot.reason
    assert (await node.seen()).hand_over == "kexec"


async def test_what_a_boot_program_tells_says_nothing_of_the_kexec(world, node, live):
    await by_kexec(world, node)
    await screen_says(world, node, Waits.ROOT)
    assert "ended in silence" in (await node.firmware()).reason
    assert (await node.seen()).hand_over == "reboot"


async def test_an_initrd_that_waits_for_ever_is_no_kexec_that_hung(world, node, live):
    await by_kexec(world, node)
    await screen_says(world, node, Waits.EXPORT)
    await world.passes(60 * MINUTE)
    machine = await node.seen()
    assert machine.state == "failed"
    assert machine.hand_over == "kexec"


async def test_of_a_machine_that_does_something_else_it_changes_nothing(world, node, live):
    await starts(world, node)
    before = await node.attempt()
    await screen_says(world, node, Waits.MEMORY)
    assert await node.attempt() == before
