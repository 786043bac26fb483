"""An image whose content is not here, after a restore: no disk is cleared for it."""

from pathlib import Path

from fleet_world import state

from appliance.reconcile.consequences import Action
from appliance.workflow import PREPARE


async def test_a_disk_is_not_cleared_for_an_image_that_cannot_come(world, node):
    await node.usable()
    await world.deploy()
    there, world.content = world.content, Path("/nowhere/1")
    await world.act("start")
    assert await node.work() is None
    machine = await node.seen()
    assert (await state(node), machine.failed_code) == ("failed", "image-missing")
    assert "upload it again" in machine.failed_reason
    world.content = there
    await world.act(Action.RETRY.value)
    await node.step(PREPARE)
    assert await state(node) == "deploying"
