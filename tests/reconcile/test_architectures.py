"""A machine for whose processor there is no maintenance stack is told so, and so is the user."""

import pytest

from appliance.netboot.policy import BootRequest, MaintenanceStack, NoStack


async def boots(world, node, architecture, *, proven=True):
    address = "10.77.0.50" if proven else "10.77.0.66"
    request = BootRequest(
        node.mac, node.uuid, None, "uefi", "Arm", "", address, "10.77.0.1", proven, architecture=architecture
    )
    return await world.fleet.boot(request)


@pytest.mark.parametrize("architecture", ["arm64", "arm32", "riscv64", "loong64"])
async def test_a_processor_without_a_stack_waits_and_the_timeline_says_why(world, node, architecture):
    boot = await boots(world, node, architecture)
    assert boot.spec == NoStack(architecture)
    assert boot.token == "", "nothing of ours runs there that could use one"
    [event] = await world.events("script.served")
    assert event.text == f"told it to wait: there is no maintenance stack for {architecture}"


@pytest.mark.parametrize("architecture", ["x86_64", "i386", ""])
async def test_the_others_get_it(world, node, architecture):
    assert (await boots(world, node, architecture)).spec == MaintenanceStack(armed=False)


async def test_who_asks_in_its_name_hears_the_same(world, node):
    await boots(world, node, "arm64")
    assert (await boots(world, node, "arm64", proven=False)).spec == NoStack("arm64")


async def test_it_is_named_once_it_comes_back_over_and_over(world, node):
    for _ in range(4):
        world.now += 70
        await boots(world, node, "arm64")
    [event] = await world.events("machine.looping")
    assert "no maintenance stack for its processor" in event.reason
