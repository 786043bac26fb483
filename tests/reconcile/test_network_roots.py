"""Deployments that run from memory: what each boot of their machine is given, and which boots have to ask."""

from base64 import b64encode

import pytest
from fleet_world import FULL, SERVER, Played, code_of, disk, state

from appliance.errors import Conflict, Denied, Invalid, TooEarly
from appliance.netboot.fleet import Redemption
from appliance.netboot.policy import MaintenanceStack, NetworkRoot
from appliance.reconcile.changes import Changes, DeploymentChange
from appliance.reconcile.consequences import MachineAction
from appliance.reconcile.views import OFFLINE_AFTER, machine_view
from appliance.reconcile.wishes import MachineChange
from appliance.store import catalogue, roots
from appliance.store.sealing import Sealer
from appliance.store.tokens import TOKEN_SECONDS
from appliance.workflow import CONFIGURE, HAND_OVER
from tests.people import ADA

IMAGE_BYTES = 200 << 20
LAYER = b"made of the image by the agent"
OURS, OTHERS = "a" * 64, "b" * 64


@pytest.fixture
async def live(world):
    """An image that machines run from memory."""
    return await world.image(IMAGE_BYTES, "live", "squashfs")


async def starts(world, node):
    """A deployment that runs from memory, started, on a machine that waits in the maintenance stack."""
    await node.usable()
    await world.deploy(image="live", delivery="ram")
    await world.act("start")


async def configures(world, node):
    work = await node.work()
    assert work.step == CONFIGURE
    node.resident = work.params["resident"]["token"]
    await world.fleet.take_layer(node.token, work.attempt, b64encode(LAYER).decode())
    await node.report(work, result={"ssh_host_keys": ["ssh-ed25519 MADE"]})
    return work


async def hands_over(node, method="kexec"):
    work = await node.work()
    assert work.step == HAND_OVER
    await node.report(work, result={"method": method})
    return work


async def runs(world, node):
    await starts(world, node)
    await configures(world, node)
    await hands_over(node)
    await node.reports_active()


async def trades(world, node, boot, mine=OURS):
    """What the hand-over initrd gets for the token of this boot."""
    redemption = Redemption(boot.token, mine, boot.nonce, node.mac, (node.mac,), node.uuid, "bios")
    return await world.fleet.root(redemption, "10.77.0.50", SERVER)


async def test_it_is_deployed_without_a_look_at_any_disk(world, live):
    node = Played(world, disks=[disk(content=FULL)])
    await starts(world, node)
    given = await configures(world, node)
    assert "disk" not in given.params
    assert given.params["image"]["stored_size"] == IMAGE_BYTES
    assert (await world.deployment()).disk is None
    left = await hands_over(node)
    assert "disk" not in left.params
    told = left.params["root"]
    assert [file["url"] for file in told["files"]] == [
        f"http://{SERVER}/stack/1/{name}" for name in ("vmlinuz", "handover", "handover-modules")
    ]
    assert told["document"]["upper"] == b64encode(LAYER).decode()
    assert told["document"]["ram"]["token"] not in told["cmdline"]
    await node.reports_active()
    assert await state(node) == "active"
    assert (await world.deployment()).current


async def test_a_machine_without_a_disk_is_good_enough(world, live):
    node = Played(world, disks=[])
    await runs(world, node)
    assert await state(node) == "active"


async def test_a_machine_with_too_little_memory_is_not(world):
    await world.image(1 << 30, "live", "squashfs")
    node = Played(world)
    await node.usable()
    await world.deploy(image="live", delivery="ram")
    with pytest.raises(Conflict, match="has 1024 MiB of memory, live needs 1536"):
        await world.act("start")


@pytest.mark.parametrize(("image", "delivery"), [("debian", "ram"), ("live", "disk")])
async def test_an_image_of_the_other_kind_is_refused(world, node, live, image, delivery):
    await node.usable()
    await world.deploy(image=image, delivery=delivery)
    assert await code_of(Conflict, world.act("start")) == "image-not-deployable"


async def test_a_reboot_that_hands_over_is_given_the_root_once(world, node, live):
    await starts(world, node)
    await configures(world, node)
    await hands_over(node, "reboot")
    boot = await node.firmware()
    assert boot.spec == NetworkRoot(armed=True)
    told = await trades(world, node, boot)
    assert told["ram"]["url"] == f"http://{SERVER}/images/{live.id}/content"
    assert await trades(world, node, boot) != {}, "an answer that was lost is asked for again"
    assert await code_of(Denied, trades(world, node, boot, OTHERS)) == "token-used"
    assert (await node.seen()).maintenance, "somebody else had read its token"


async def test_the_next_boot_of_the_same_hand_over_has_to_ask(world, node, live):
    await starts(world, node)
    await configures(world, node)
    await hands_over(node, "reboot")
    await trades(world, node, await node.firmware())
    boot = await node.firmware()
    assert boot.spec == NetworkRoot(armed=False)
    assert await code_of(TooEarly, trades(world, node, boot)) == "root-asked"


async def test_a_kexec_that_ends_in_silence_is_followed_by_a_boot_with_the_same_rights(world, node, live):
    await starts(world, node)
    await configures(world, node)
    await hands_over(node)
    boot = await node.firmware()
    assert boot.spec == NetworkRoot(armed=True)
    assert (await node.seen()).hand_over == "reboot"
    await trades(world, node, boot)
    await node.reports_active()
    assert await state(node) == "active"


async def test_who_restarts_by_itself_asks_until_somebody_lets_it_in(world, node, live):
    await runs(world, node)
    boot = await node.firmware()
    assert boot.spec == NetworkRoot(armed=False)
    for _ in range(3):
        assert await code_of(TooEarly, trades(world, node, boot)) == "root-asked"
    assert len(await world.events("root.asked")) == 1
    world.now += TOKEN_SECONDS * 2
    assert await code_of(TooEarly, trades(world, node, boot)) == "root-asked"
    key = (await node.seen()).id
    await world.wishes.admit(key, ADA)
    assert (await trades(world, node, boot))["hostname"] == "web-1"
    assert (await world.events("root.given"))[-1].reason == "it had restarted by itself, and was let in"
    assert await code_of(Conflict, world.wishes.admit(key, ADA)) == "root-not-asked"


async def test_who_was_switched_off_while_it_asked_asks_no_more(world, node, live):
    """A boot that waits asks twice a minute; what is let in is one that is there."""
    await runs(world, node)
    boot = await node.firmware()
    assert await code_of(TooEarly, trades(world, node, boot)) == "root-asked"
    began, key = world.now, (await node.seen()).id
    world.now += OFFLINE_AFTER
    assert (await machine_view(world.store, key)).asks(world.now) == began
    world.now += 1
    assert (await machine_view(world.store, key)).asks(world.now) is None
    assert await code_of(Conflict, world.wishes.admit(key, ADA)) == "root-not-asked"
    assert (await world.wishes.machine_consequences(key, MachineAction.ADMIT)).refused
    assert await code_of(TooEarly, trades(world, node, boot)) == "root-asked", "it was the network that was away"
    assert (await machine_view(world.store, key)).asks(world.now) == began
    await world.wishes.admit(key, ADA)


async def test_who_is_let_in_is_that_boot_and_no_later_one(world, node, live):
    await runs(world, node)
    assert await code_of(TooEarly, trades(world, node, await node.firmware())) == "root-asked"
    await world.wishes.admit((await node.seen()).id, ADA)
    assert await code_of(TooEarly, trades(world, node, await node.firmware())) == "root-asked"


async def test_a_subnet_can_trust_machines_that_restart_by_themselves(world, node, live):
    world.root_policies[SERVER] = "trust"
    await runs(world, node)
    assert (await trades(world, node, await node.firmware()))["hostname"] == "web-1"
    assert len(await world.events("root.given")) == 1


async def test_a_boot_in_the_machine_s_name_gets_nothing(world, node, live):
    world.root_policies[SERVER] = "trust"
    await runs(world, node)
    boot = await node.firmware(proven=False)
    assert boot.spec == NetworkRoot(armed=False)
    assert await code_of(Denied, trades(world, node, boot)) == "token-unproven"


async def test_an_agent_s_token_opens_no_root_and_a_root_s_no_session(world, node, live):
    boot = await node.firmware()
    assert boot.spec == MaintenanceStack(armed=False)
    assert await code_of(Denied, trades(world, node, boot)) == "token-unknown"
    await node.redeem(boot)
    await world.fleet.take_inventory(node.token, node.inventory())
    await runs(world, node)
    assert await code_of(Denied, node.redeem(await node.firmware())) == "token-unknown"


async def test_an_old_token_that_nobody_traded_is_refused(world, node, live):
    await runs(world, node)
    boot = await node.firmware()
    world.now += TOKEN_SECONDS + 1
    assert await code_of(Denied, trades(world, node, boot)) == "token-expired"


async def test_what_was_released_gives_nothing_any_more(world, node, live):
    world.root_policies[SERVER] = "trust"
    await runs(world, node)
    boot = await node.firmware()
    told = await trades(world, node, boot)
    await world.act("release")
    await node.obeys()
    await node.boots_stack()
    assert await state(node) == "idle"
    assert await code_of(Denied, trades(world, node, boot)) == "token-unknown"
    assert await code_of(Denied, world.fleet.image(told["ram"]["token"], live.id)) == "token-unknown"
    deployment = await world.deployment()
    assert await world.store.read(lambda db: roots.layer(db, deployment.id)) is None


async def test_the_image_is_given_to_the_boot_that_gets_it_and_to_no_later_one(world, node, live):
    world.root_policies[SERVER] = "trust"
    await runs(world, node)
    first = await trades(world, node, await node.firmware())
    second = await trades(world, node, await node.firmware())
    assert await code_of(Denied, world.fleet.image(first["ram"]["token"], live.id)) == "token-unknown"
    assert await world.fleet.image(second["ram"]["token"], live.id) == world.content
    assert await code_of(Denied, world.fleet.image(second["ram"]["token"], live.id + 1)) == "token-unknown"


async def test_it_stops_and_starts_as_the_same_computer(world, node, live):
    await runs(world, node)
    await world.act("stop")
    await node.obeys()
    await node.boots_stack()
    assert await state(node) == "stopped"
    await world.act("start")
    left = await hands_over(node)
    assert left.params["root"]["document"]["upper"] == b64encode(LAYER).decode()
    await node.reports_active("b2")
    assert await state(node) == "active"


async def test_a_stopped_one_that_is_switched_on_starts_without_the_maintenance_stack(world, node, live):
    await runs(world, node)
    await world.act("stop")
    await node.obeys()
    await node.boots_stack()
    await world.act("start")
    boot = await node.firmware()
    assert boot.spec == NetworkRoot(armed=True)
    await trades(world, node, boot)
    await node.reports_active("b2")
    assert await state(node) == "active"


async def test_a_layer_is_taken_from_the_agent_that_was_told_to_make_it(world, node, live):
    await starts(world, node)
    work = await node.work()
    content = b64encode(LAYER).decode()
    assert await code_of(Conflict, world.fleet.take_layer(node.token, "another", content)) == "stale-step"
    assert await code_of(Denied, world.fleet.take_layer(OTHERS, work.attempt, content)) == "session-unknown"
    for wrong in ("", "not base64!", b64encode(bytes(1 << 20)).decode()):
        assert await code_of(Invalid, world.fleet.take_layer(node.token, work.attempt, wrong)) == "layer-invalid"


async def test_without_its_layer_a_root_is_not_given(world, node, live):
    await starts(world, node)
    work = await node.work()
    node.resident = work.params["resident"]["token"]
    await node.report(work, result={})
    assert await node.work() is None
    assert (await node.seen()).failed_code == "layer-missing"


async def test_a_broken_machine_gets_no_root(world, node, live):
    await runs(world, node)
    boot = await node.firmware()
    assert await code_of(TooEarly, trades(world, node, boot)) == "root-asked"
    await world.wishes.change_machine((await node.seen()).id, MachineChange(broken=True), ADA)
    await world.store.write(lambda db: db.execute("UPDATE boot_tokens SET admitted = 1"))
    assert await code_of(Denied, trades(world, node, boot)) == "root-none"


@pytest.mark.parametrize("action", ["stop", "release", "redeploy"])
async def test_who_waits_to_be_let_in_is_sent_away_by_what_a_user_wants_instead(world, node, live, action):
    await runs(world, node)
    boot = await node.firmware()
    assert await code_of(TooEarly, trades(world, node, boot)) == "root-asked"
    await world.act(action)
    assert await code_of(Denied, trades(world, node, boot)) == "root-none"
    assert isinstance((await node.firmware()).spec, MaintenanceStack), "it restarts then"


async def test_what_it_started_from_stays_its_image_until_the_next_deploy(world, node, live):
    other = await world.image(1 << 20, "other", "squashfs")
    world.root_policies[SERVER] = "trust"
    await runs(world, node)
    await Changes(world.store, world.bus, lambda: world.now).deployment("web-1", DeploymentChange(image="other"), ADA)
    told = await trades(world, node, await node.firmware())
    assert told["ram"]["url"].endswith(f"/images/{live.id}/content")
    with pytest.raises(Conflict, match="web-1 uses this image"):
        await world.store.write(lambda db: catalogue.delete_image(db, live.id))
    await world.act("redeploy")
    await node.obeys()
    await node.boots_stack()
    await configures(world, node)
    assert (await hands_over(node)).params["root"]["document"]["ram"]["url"].endswith(f"/images/{other.id}/content")


async def test_its_layer_lies_sealed_in_the_store(world, node, live):
    await runs(world, node)
    deployment = await world.deployment()
    sealed = await world.store.read(lambda db: roots.layer(db, deployment.id))
    assert LAYER not in sealed
    assert b64encode(LAYER) not in sealed


async def test_a_layer_that_another_key_has_sealed_is_missing(world, node, live):
    world.root_policies[SERVER] = "trust"
    await runs(world, node)
    deployment = await world.deployment()
    foreign = Sealer(b"k" * 32).seal("layer", f"root layer of deployment {deployment.id}")
    await world.store.write(lambda db: roots.put_layer(db, deployment.id, foreign))
    assert await code_of(Conflict, trades(world, node, await node.firmware())) == "layer-missing"


async def test_an_image_that_is_gone_is_said_and_waited_for(world, node, live):
    world.root_policies[SERVER] = "trust"
    await runs(world, node)
    there, world.content = world.content, world.content.with_name("gone")
    boot = await node.firmware()
    assert await code_of(Conflict, trades(world, node, boot)) == "image-missing"
    world.content = there
    assert (await trades(world, node, boot))["hostname"] == "web-1"


async def test_a_running_system_has_nothing_left_of_what_it_started_with(world, node, live):
    world.root_policies[SERVER] = "trust"
    await runs(world, node)
    boot = await node.firmware()
    told = await trades(world, node, boot)
    await node.reports_active("b2")
    assert await code_of(Denied, world.fleet.image(told["ram"]["token"], live.id)) == "token-unknown"
    assert await code_of(Denied, trades(world, node, boot, OTHERS)) == "token-unknown"
    assert not (await node.seen()).maintenance, "whoever reads its command line there harms nobody"


async def test_a_second_trade_ends_what_the_first_was_given(world, node, live):
    world.root_policies[SERVER] = "trust"
    await runs(world, node)
    boot = await node.firmware()
    told = await trades(world, node, boot)
    assert await code_of(Denied, trades(world, node, boot, OTHERS)) == "token-used"
    assert await code_of(Denied, world.fleet.image(told["ram"]["token"], live.id)) == "token-unknown"
    assert await code_of(Denied, node.reports_active("b2")) == "session-unknown"
    assert await code_of(TooEarly, trades(world, node, await node.firmware())) == "root-asked"


async def test_a_deploy_that_is_broken_off_leaves_nothing_that_counts_as_deployed(world, node, live):
    await runs(world, node)
    await world.act("redeploy")
    await node.obeys()
    await node.boots_stack()
    work = await node.work()
    assert work.step == CONFIGURE
    assert (await world.deployment()).installed is None


async def test_a_machine_that_comes_to_the_stack_asks_no_longer(world, node, live):
    await runs(world, node)
    assert await code_of(TooEarly, trades(world, node, await node.firmware())) == "root-asked"
    machine = (await node.seen()).id
    await node.firmware()
    assert await world.store.read(lambda db: roots.waiting(db, machine)) is None


async def test_who_waits_is_heard_of(world, node, live):
    await runs(world, node)
    boot = await node.firmware()
    for _ in range(3):
        world.now += 30
        assert await code_of(TooEarly, trades(world, node, boot)) == "root-asked"
        assert (await node.seen()).last_seen == world.now
