"""A store that comes back does not go on with what was going on when it was backed up."""

import asyncio

from appliance.backup.format import Derivation, Header
from appliance.backup.unpacked import make_ready
from appliance.power_order import OrderId, PowerAction, PowerOrder
from appliance.power_switch import PowerKind, PowerSettings
from appliance.reconcile.consequences import Action
from appliance.reconcile.jobs import open_job
from appliance.reconcile.record import record
from appliance.store import power, tasks
from appliance.task import Status
from appliance.workflow import PREPARE
from tests.people import ADA
from tests.reconcile.fleet_world import Played, a_world, state

HEADER = Header(1, "1.0", 1, 0.0, "here", "0" * 64, "chacha20-poly1305", Derivation("0" * 32))


async def comes_back(path, now):
    """The store of ``path``, which nobody has open."""
    await asyncio.to_thread(make_ready, path, HEADER, now)


async def test_a_deploy_is_not_gone_on_with(tmp_path):
    async with a_world(tmp_path) as world:
        node = Played(world)
        await node.usable()
        await world.deploy()
        await world.act("start")
        await node.step(PREPARE)
        token = node.token
    await comes_back(tmp_path, world.now + 60)
    async with a_world(tmp_path, image=False) as again:
        node = Played(again, token=token)
        again.now = world.now + 60
        await again.passes(1)
        assert await state(node) == "failed"
        assert await node.work() is None, "its disk is written to no more"
        attempt = await node.attempt()
        assert (attempt.code, attempt.status) == ("restored", "failed")
        assert "restored from a backup of here" in attempt.reason
        assert not [each for each in await again.store.read(lambda db: tasks.doubtful(db)) if each.open]


async def test_a_release_that_waits_is_taken_back(tmp_path):
    """The machine would be wiped, although its disk may be another's by now."""
    async with a_world(tmp_path) as world:
        node = Played(world)
        await node.active()
        foreseen = await world.wishes.consequences("web-1", Action.RELEASE)
        task = await world.wishes.act("web-1", Action.RELEASE, foreseen.confirm, ADA, foreseen.content)
        assert (await world.deployment()).wanted == "released"
    await comes_back(tmp_path, world.now + 60)
    async with a_world(tmp_path, image=False) as again:
        again.now = world.now + 60
        await again.passes(1)
        assert await state(Played(again)) == "active"
        assert (await again.deployment()).wanted == "running"
        assert (await again.task(task.id)).status is Status.CANCELLED


async def test_a_job_is_not_gone_on_with(tmp_path):
    async with a_world(tmp_path) as world:

        def job(db, tell):
            return open_job(db, tell, "machines.delete", "Delete 50 machines", ADA, world.now, {})

        task = await record(world.store, world.bus, job)
    await comes_back(tmp_path, world.now)
    async with a_world(tmp_path, image=False) as again:
        found = await again.task(task.id)
        assert (found.status, found.code) == (Status.FAILED, "restored")
        assert await again.store.read(tasks.open_jobs) == []


async def test_nothing_is_switched_that_was_to_be(tmp_path):
    async with a_world(tmp_path) as world:
        node = Played(world)
        await node.usable()
        machine = await node.seen()
        order = PowerOrder(OrderId(0), machine.id, PowerAction.OFF, world.now, world.now, "ada")
        await world.store.write(lambda db: power.put(db, machine.id, PowerSettings(PowerKind.IPMI, "192.0.2.1"), b""))
        await world.store.write(lambda db: power.add_order(db, order))
    await comes_back(tmp_path, world.now + 60)
    async with a_world(tmp_path, image=False) as again:
        assert await again.store.read(power.open_orders) == []
