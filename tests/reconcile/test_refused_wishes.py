"""Wishes that make no sense, and things that are gone."""

import secrets
from dataclasses import replace

import pytest
from fleet_world import FULL, boots_disk, code_of, deploying, disk

from appliance.errors import Conflict, Denied, Invalid, NotFound
from appliance.machine import MacAddress
from appliance.netboot.fleet import Redemption, Report
from appliance.netboot.policy import LocalDisk
from appliance.reconcile.consequences import Action
from appliance.reconcile.wishes import NewDeployment
from appliance.store import catalogue, machines
from appliance.workflow import HAND_OVER, PREPARE, Status
from tests.people import ADA

OTHER = MacAddress("52:54:00:00:00:02")


@pytest.mark.parametrize("action", ["stop", "release", "redeploy", "retry"])
async def test_what_needs_a_machine_is_refused_without_one(world, node, action):
    await world.deploy()
    with pytest.raises(Conflict, match="on no machine"):
        await world.wishes.act("web-1", Action(action), "web-1", ADA)


@pytest.mark.parametrize("action", list(Action))
async def test_nothing_is_begun_while_something_goes_on(world, node, action):
    await deploying(world, node, PREPARE)
    with pytest.raises(Conflict, match="wait until that has ended"):
        await world.wishes.act("web-1", action, "web-1", ADA)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"image": "none"}, "image-unknown"),
        ({"machine": "none"}, "machine-unknown"),
        ({"delivery": "aoe"}, "delivery-unknown"),
        ({"ssh_keys": ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA",)}, "ssh-key-invalid"),
        ({"ssh_keys": ("ssh-ed25519 A\nssh-ed25519 B",)}, "ssh-key-invalid"),
        ({"name": "Web 1"}, "name-invalid"),
        ({"name": "12"}, "name-invalid"),
    ],
)
async def test_a_deployment_that_cannot_be_is_refused(world, change, code):
    with pytest.raises((Invalid, NotFound)) as caught:
        await world.wishes.create_deployment(NewDeployment(**{"name": "web-1", "image": "debian", **change}), ADA)
    assert caught.value.code == code


async def test_an_attempt_that_ended_is_never_changed_again(world, node):
    await deploying(world, node, PREPARE)
    work = await node.work()
    await node.report(work, "failed", message="first")
    ended = await node.attempt()
    for status in ("done", "failed", "running"):
        with pytest.raises(Conflict):
            await node.report(work, status, message="second")
    await world.passes(100_000)
    await node.firmware()
    assert await node.attempt() == ended
    assert ended.status is Status.FAILED


async def test_a_deleted_machine_is_new_when_it_comes_back(world, node):
    await node.boots_stack()
    old = (await node.seen()).id
    await world.wishes.delete_machine(old, ADA)
    assert await code_of(Denied, node.work()) == "session-unknown"
    await node.boots_stack()
    assert (await node.seen()).id != old
    assert await world.store.read(lambda db: machines.find(db, old)) is None


async def test_a_named_disk_that_is_gone_or_doubled_is_refused(world, node):
    node.disks = [disk("S1", content=FULL), disk("S1")]
    await node.usable()
    await world.deploy(disk="S1")
    with pytest.raises(Conflict, match="2 disks"):
        await world.act("start")
    await world.deploy("web-2", disk="S9")
    with pytest.raises(Conflict, match="no disk with serial or WWN 'S9'"):
        await world.act("start", "web-2")


async def test_a_4kn_disk_and_a_small_one_are_refused_for_a_512_byte_image(world, node):
    node.disks = [disk("A", sector_size=4096), disk("B", size=1 << 20), disk("C", read_only=True)]
    await node.usable()
    await world.deploy()
    with pytest.raises(Conflict) as caught:
        await world.act("start")
    for reason in ("4096-byte sectors", "the image needs", "is read-only"):
        assert reason in caught.value.message


async def test_a_machine_and_a_redemption_that_do_not_know_each_other(world, node):
    """A token is good for the machine that it was given to, whatever MAC comes with it."""
    boot = await node.firmware()
    redemption = Redemption(boot.token, secrets.token_hex(32), boot.nonce, OTHER, (), None, "bios")
    welcome = await world.fleet.redeem(redemption, "10.77.0.99")
    assert welcome.machine == (await node.seen()).id
    stale = Report("no such attempt", PREPARE, "done", 0.0, "", "", {})
    assert await code_of(Conflict, world.fleet.report(redemption.machine_token, stale)) == "stale-step"


async def test_a_decision_to_boot_the_disk_is_kept_for_grub_and_forgotten_after(world, node):
    await node.active()
    await boots_disk(node)
    assert world.fleet.boots.disk_decided[node.mac] == LocalDisk("1111-2222", "3333-4444")
    await world.act("stop")
    await node.obeys()
    await node.boots_stack()
    assert node.mac not in world.fleet.boots.disk_decided


async def test_a_hand_over_whose_answer_was_lost_may_be_reported_again_and_nothing_else(world, node):
    await node.usable()
    await world.deploy()
    await world.act("start")
    await node.installs(until="configure")
    work = await node.step(HAND_OVER)
    assert await node.report(work, "done", result={"method": "kexec"})
    with pytest.raises(Denied):
        await node.report(work, "failed")
    with pytest.raises(Denied):
        await node.work()
    with pytest.raises(Denied):
        await world.fleet.report("0" * 64, Report(work.attempt, HAND_OVER, "done", 1.0, "", "", {}))


async def test_an_image_that_is_no_disk_is_not_written_and_hinders_nothing_else(world, node):
    await node.active()
    deployment = await world.deployment()
    image = await world.store.read(lambda db: catalogue.image(db, deployment.image))
    await world.store.write(lambda db: catalogue.change_image(db, replace(image, format="tar")))
    with pytest.raises(Conflict, match="root file system") as refused:
        await world.wishes.act("web-1", Action.REDEPLOY, "web-1", ADA)
    assert refused.value.code == "image-not-deployable"
    await world.act("stop")
