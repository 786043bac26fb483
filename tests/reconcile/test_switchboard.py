"""One caller at a time speaks with a switch, however many want to."""

import asyncio

import pytest
from power_world import Switches


@pytest.fixture
def switches(world):
    return Switches(world)


async def test_who_comes_while_another_still_waits_waits_too(switches, node):
    await node.usable()
    await switches.add(node)
    machine = (await node.seen()).id
    speaking, most, turns = 0, 0, 0

    async def speak():
        nonlocal speaking, most, turns
        async with switches.board.line(machine):
            speaking += 1
            most = max(most, speaking)
            for _ in range(5):  # whoever is opening the line meanwhile has opened it by then
                await node.seen()
            turns += 1
            speaking -= 1

    async def speak_and_send_another():
        await speak()
        await speak()  # right after it let go, while the second one has not begun yet

    async with asyncio.TaskGroup() as group:
        group.create_task(speak_and_send_another())
        for _ in range(3):
            group.create_task(speak())
    assert (turns, most) == (5, 1)
    assert not switches.board.is_held(machine)
