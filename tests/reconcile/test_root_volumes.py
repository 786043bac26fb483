"""Roots on volumes: what is made, exported to whom, taken back, and what a restart of anybody leaves of it."""

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from fleet_world import SERVER, Played, code_of, disk, state
from root_world import GOLDEN_UUID, Killed, a_root_world, trouble

from appliance.deployment import detached
from appliance.errors import Conflict, Denied, TooEarly
from appliance.lease import Lease, LeaseState
from appliance.netboot.fleet import Redemption
from appliance.netboot.policy import MaintenanceStack, NetworkRoot
from appliance.privileged.verbs.exports import Exported
from appliance.reconcile.wishes import MachineChange
from appliance.store import deployments, leases, machines, root_volumes
from appliance.store.sealing import Sealer
from appliance.workflow import CONFIGURE, HAND_OVER
from tests.people import ADA

ADDRESS = "10.77.0.50"
OURS = "a" * 64
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGrTXzs7rZ5ljuUbVM5cVGvCL1r0Ot4zc5r3U6yPdhbh ada"


@pytest.fixture(params=["iscsi", "nfs"])
async def world(tmp_path, request):
    async with a_root_world(tmp_path) as made:
        made.delivery = request.param
        yield made


@pytest.fixture
def node(world):
    return Played(world, disks=[])


async def starts(world, node):
    await node.usable()
    await world.deploy(image="live", delivery=world.delivery)
    await world.act("start")


async def configures(world, node):
    work = await node.work()
    assert work.step == CONFIGURE
    node.resident = work.params["resident"]["token"]
    await node.report(work, result={"ssh_host_keys": ["ssh-ed25519 MADE"]})
    return work.params["root"]


async def hands_over(world, node, method="kexec"):
    work = await node.work()
    assert work.step == HAND_OVER
    await node.report(work, result={"method": method})
    return work.params["root"]


async def runs(world, node):
    await starts(world, node)
    await configures(world, node)
    await hands_over(world, node)
    await node.reports_active()


async def comes_back(world, node):
    """Its system shuts down, and the maintenance stack comes up."""
    await node.obeys()
    await node.boots_stack()
    await world.look()


async def trades(world, node, boot):
    redemption = Redemption(boot.token, OURS, boot.nonce, node.mac, (node.mac,), node.uuid, "bios")
    return await world.fleet.root(redemption, ADDRESS, SERVER)


async def the_only(world):
    (grant,) = world.kernel.exports.values()
    return grant


async def test_it_is_deployed_onto_a_volume_of_its_own(world, node):
    await starts(world, node)
    root, grant = await world.root(), await the_only(world)
    assert world.volumes == [root.name]
    told = await configures(world, node)
    assert told["delivery"] == world.delivery
    if world.delivery == "iscsi":
        assert told["iscsi"] == {
            "portal": f"{SERVER}:3260",
            "target": grant.target,
            "initiator": grant.initiator,
            "user": grant.user,
            "secret": grant.secret,
            "root": f"UUID={GOLDEN_UUID}",
        }
    else:
        assert told["nfs"] == {"server": SERVER, "path": f"/{grant.id}", "read_only": False, "overlay": False}
        assert grant.address == ADDRESS
    document = (await hands_over(world, node))["document"]
    assert document["delivery"] == world.delivery
    assert document[world.delivery] == told[world.delivery]
    assert "upper" not in document
    await node.reports_active()
    assert await state(node) == "active"
    assert (await world.deployment()).current
    assert list(world.kernel.exports) == [grant.id]


async def test_a_golden_volume_is_made_once_for_all_who_are_cloned_from_it(world, node):
    second = Played(world, "52:54:00:00:00:02", "11111111-2222-3333-4444-555555555502", [])
    await starts(world, node)
    await second.usable()
    await world.deploy("web-2", image="live", delivery=world.delivery)
    await world.act("start", "web-2")
    assert world.made == ["live"]
    assert len(world.volumes) == 2
    assert len(world.kernel.exports) == 2


async def test_a_disk_of_the_machine_is_never_looked_at(world):
    node = Played(world, disks=[disk()])
    await starts(world, node)
    await configures(world, node)
    assert (await world.deployment()).disk is None


async def test_stop_cuts_the_export_and_start_grants_another(world, node):
    await runs(world, node)
    before = await the_only(world)
    await world.act("stop")
    assert await the_only(world) == before, "its system still runs"
    await comes_back(world, node)
    assert await state(node) == "stopped"
    assert world.kernel.exports == {}
    assert (await world.root()).grant is None
    await world.act("start")
    after = await the_only(world)
    assert after.id != before.id
    assert after.volume == before.volume
    if world.delivery == "iscsi":
        assert after.secret != before.secret
    await hands_over(world, node)
    await node.reports_active("b2")
    assert await state(node) == "active"


async def test_release_deletes_the_volume_and_says_so_before(world, node):
    await runs(world, node)
    await world.act("release")
    await comes_back(world, node)
    assert await state(node) == "idle"
    assert (world.kernel.exports, world.volumes, await world.rows()) == ({}, [], [])
    assert (await world.deployment()).machine is None


async def test_a_re_deploy_begins_with_a_volume_that_nobody_has_written(world, node):
    await runs(world, node)
    before = await world.root()
    await world.act("redeploy")
    await comes_back(world, node)
    after = await world.root()
    assert after.volume != before.volume
    assert world.volumes == [after.name], "the one of before is deleted"
    assert (await the_only(world)).volume == after.volume
    await configures(world, node)


async def test_a_machine_that_restarts_by_itself_waits_and_gets_the_same_root(world, node):
    await runs(world, node)
    grant = await the_only(world)
    boot = await node.firmware()
    assert boot.spec == NetworkRoot(armed=False)
    assert await code_of(TooEarly, trades(world, node, boot)) == "root-asked"
    await world.wishes.admit((await node.seen()).id, ADA)
    told = await trades(world, node, boot)
    assert grant.id in str(told[world.delivery])
    assert "ram" not in told


async def test_another_machine_gets_nothing_of_it(world, node):
    await runs(world, node)
    other = Played(world, "52:54:00:00:00:02", "11111111-2222-3333-4444-555555555502", [])
    await other.usable()
    boot = await other.firmware()
    assert boot.spec == MaintenanceStack(armed=False)
    assert await code_of(Denied, trades(world, other, boot)) == "token-unknown"
    assert await other.work() is None


async def test_the_secret_is_sealed_in_the_store_and_in_no_event(world, node):
    await runs(world, node)
    if world.delivery == "nfs":
        return
    secret = (await the_only(world)).secret
    said = [str(event) for event in await world.events()]
    assert not any(secret in each for each in said)
    root = await world.root()
    kept = await world.store.read(lambda db: root_volumes.secret(db, root))
    assert kept
    assert secret.encode() not in kept


async def test_after_a_restart_of_the_appliance_the_exports_stand_again(world, node):
    await runs(world, node)
    before = await the_only(world)
    world.kernel.exports.clear()
    world.kernel.asked.clear()
    world.begin()
    await world.look()
    assert await the_only(world) == before
    granted = [each.serve for each in world.kernel.asked if each.name.endswith("grant")]
    assert granted == [False, True], "nobody is served before all are ready"
    assert len(await world.events("root.export")) == 1


async def test_what_nobody_wants_is_cut_and_what_others_have_made_is_left(world, node):
    await runs(world, node)
    wanted = await the_only(world)
    stray = type(wanted)(**{**_fields(wanted), "id": "f" * 16, "volume": "e" * 16})
    world.kernel.exports[stray.id] = stray
    world.kernel.others.append(Exported(world.delivery, ours=False, id="d" * 16, place="/srv/backups"))
    world.kernel.asked.clear()
    await world.look()
    assert list(world.kernel.exports) == [wanted.id]
    assert [each.id for each in world.kernel.asked if each.name.endswith("revoke")] == [stray.id]
    assert stray.id in (await world.events("root.export"))[-1].text


def _fields(verb):
    return {name: getattr(verb, name) for name in verb.__struct_fields__}


async def test_a_broken_machine_keeps_its_root_until_it_is_taken_away(world, node):
    await runs(world, node)
    await world.wishes.change_machine((await node.seen()).id, MachineChange(broken=True), ADA)
    await world.look()
    assert len(world.kernel.exports) == 1, "its system may still run"


async def test_what_failed_says_why_and_is_retried_with_a_volume_of_its_own(world, node):
    world.memories["fast"].refusing["copy"] = Conflict("pool-filling", "93% of the pool's room is used", "delete")
    await starts(world, node)
    machine = await node.seen()
    assert (machine.state, machine.failed_code) == ("failed", "pool-filling")
    assert "93% of the pool" in machine.failed_reason
    world.memories["fast"].refusing.clear()
    await world.act("retry")
    await configures(world, node)
    assert len(world.volumes) == 1
    assert len(await world.rows()) == 1


async def test_without_a_pool_it_is_said(world, node):
    await node.usable()
    await world.store.write(lambda db: db.execute("UPDATE pools SET retired = 1"))
    await world.deploy(image="live", delivery=world.delivery)
    assert await code_of(Conflict, world.act("start")) == "pool-none-for-roots"


async def test_a_machine_in_no_subnet_that_is_served_is_told_of(world, node):
    await node.usable()
    await is_at(world, node, "10.99.0.50")
    await world.deploy(image="live", delivery=world.delivery)
    await world.act("start")
    found = await node.seen()
    assert found.failed_code == "machine-not-reached"
    assert "10.99.0.50" in found.failed_reason
    assert world.kernel.exports == {}


async def is_at(world, node, address):
    """It has another address, as the next sign of it says."""
    found = await node.seen()
    await world.store.write(lambda db: machines.put(db, replace(found, address=address)))


async def test_an_export_by_nfs_moves_with_its_machine_and_one_by_iscsi_need_not(world, node):
    await runs(world, node)
    before = await the_only(world)
    await is_at(world, node, "10.77.0.51")
    await world.look()
    after = await the_only(world)
    assert after.id == before.id, "what it has open stays the same file"
    if world.delivery == "nfs":
        assert after.address == "10.77.0.51"
        assert "10.77.0.51" in (await world.events("root.export"))[-1].text
    else:
        assert after == before


async def test_the_lease_of_the_interface_that_booted_says_where_a_machine_is(world, node):
    await runs(world, node)
    await is_at(world, node, "10.77.0.99")
    lease = Lease(node.mac, IPv4Address("10.77.0.50"), "br0", b"", "", world.now, world.now + 600, LeaseState.BOUND)
    await world.store.write(lambda db: leases.put(db, [lease]))
    before = await the_only(world)
    await world.look()
    assert await the_only(world) == before, "what its system says of its addresses is no measure"
    world.now += 700
    await world.look()
    assert (await the_only(world)).id == before.id
    if world.delivery == "nfs":
        assert (await the_only(world)).address == "10.77.0.99", "nobody leases it anything"


async def test_a_pool_that_is_busy_is_waited_for(world, node, monkeypatch):
    monkeypatch.setattr("appliance.reconcile.root_volumes.loop.BREATH", 0)
    await node.usable()
    await world.deploy(image="live", delivery=world.delivery)
    refusing = world.kernel.refusing
    for verb in ("exports.nfs-grant", "exports.iscsi-grant"):
        refusing[verb] = trouble("helper-gone", "it ended in the middle")
    async with asyncio.TaskGroup() as group:
        started = group.create_task(world.act("start"))
        while len(world.kernel.asked) < 5:
            await asyncio.sleep(0)
        refusing.clear()
        await started
    assert len(world.kernel.exports) == 1
    assert await state(node) == "deploying"


async def test_a_deployment_that_left_its_machine_leaves_nothing_behind(world, node):
    await runs(world, node)
    await world.wishes.change_machine((await node.seen()).id, MachineChange(broken=True), ADA)
    deployment = await world.deployment()
    await world.store.write(lambda db: deployments.put(db, detached(deployment)))
    await world.store.write(lambda db: deployments.delete(db, deployment.id))
    await world.look()
    assert (world.kernel.exports, world.volumes, await world.rows()) == ({}, [], [])


async def test_what_cannot_be_deleted_is_told_once_and_tried_again(world, node):
    await runs(world, node)
    deployment = await world.deployment()
    world.memories["fast"].refusing["delete"] = trouble()
    await world.store.write(lambda db: deployments.put(db, detached(deployment)))
    for _ in range(3):
        await world.look()
    assert world.kernel.exports == {}, "access ends first"
    (told,) = await world.events("root.trouble")
    assert "LVM said no" in told.text
    world.memories["fast"].refusing.clear()
    await world.look()
    assert (world.volumes, await world.rows()) == ([], [])


async def test_a_secret_that_another_key_has_sealed_is_said(world, node):
    if world.delivery == "nfs":
        return
    await starts(world, node)
    root = await world.root()
    await world.store.write(lambda db: root_volumes.put_secret(db, root, Sealer(b"k" * 32).seal("x", "y")))
    assert await node.work() is None
    assert (await node.seen()).failed_code == "export-unreadable"


async def test_who_has_no_root_of_its_own_is_told_to_make_one(world, node):
    await runs(world, node)
    await world.act("stop")
    await comes_back(world, node)
    root = await world.root()
    await world.store.write(lambda db: root_volumes.drop(db, root.volume))
    await world.act("start")
    assert (await node.seen()).failed_code == "root-volume-missing"


async def test_rescue_cuts_the_export(world, node):
    await runs(world, node)
    await world.wishes.rescue((await node.seen()).id, [KEY], ADA)
    await world.look()
    await comes_back(world, node)
    assert world.kernel.exports == {}
    assert (await node.work()).step == "rescue"


async def test_a_start_that_is_cancelled_leaves_nothing_that_a_release_does_not_take_away(world, node):
    await runs(world, node)
    await world.act("stop")
    await comes_back(world, node)
    number = await world.act("start")
    await world.wishes.cancel_task(str(number), ADA)
    assert await state(node) == "failed"
    await world.act("release")
    assert await state(node) == "idle"
    assert (world.kernel.exports, world.volumes, await world.rows()) == ({}, [], [])


# -- the daemon is killed anywhere


async def lives_on(world):
    """The next daemon, which nobody kills."""
    world.fuse.burns_at = None
    world.begin()
    await world.look()


@pytest.mark.parametrize("moment", range(24))
async def test_a_daemon_that_is_killed_while_it_makes_a_root_leaves_one_root_and_one_export(world, node, moment):
    await node.usable()
    await world.deploy(image="live", delivery=world.delivery)
    world.fuse.burns_at = moment
    if not await killed(world.act("start")):
        assert moment > 18, "there are more moments than that"
    await lives_on(world)
    assert (await node.work()).step == CONFIGURE
    root = await world.root()
    assert world.volumes == [root.name]
    assert len(await world.rows()) == 1
    grant = await the_only(world)
    assert (grant.id, grant.volume) == (root.grant.export.id, root.volume)
    assert world.made == ["live"]


@pytest.mark.parametrize("moment", range(18))
async def test_a_daemon_that_is_killed_while_it_takes_a_root_away_leaves_nothing(world, node, moment):
    await runs(world, node)
    await world.act("release")
    await node.obeys()
    await node.boots_stack()
    world.fuse.burns_at = moment
    if not await killed(world.look()):
        assert moment > 12, "there are more moments than that"
    await lives_on(world)
    assert await state(node) == "idle"
    assert (world.kernel.exports, world.volumes, await world.rows()) == ({}, [], [])


async def killed(at_work):
    burnt = False
    try:
        await at_work
    except* Killed:
        burnt = True
    return burnt
