"""NoCloud seeds of deployments: kept sealed, given to the agent that writes them, and to nobody else."""

import pytest
from fleet_world import Played, code_of, state

from appliance.errors import Conflict, Invalid
from appliance.reconcile.changes import Changes, DeploymentChange
from appliance.reconcile.seeds import Seeds
from appliance.store.sealing import Sealer
from appliance.workflow import CONFIGURE, GROW, PREPARE, WRITE
from tests.people import ADA

SECRET = "hunter2-secret"
USER_DATA = f"#cloud-config\npassword: {SECRET}\n"
NETWORK = "version: 2\nethernets: {lan: {match: {name: en*}, dhcp4: true}}\n"


async def seeded(world, **given):
    await world.deploy(seed=world.seeds.sealed(given))


async def change(world, **given):
    changes = Changes(world.store, world.bus, lambda: world.now)
    return await changes.deployment("web-1", DeploymentChange(seed=world.seeds.sealed(given)), ADA)


async def everything(world):
    """All that the store has, as text."""
    return await world.store.read(lambda db: "\n".join(db.iterdump()))


async def test_the_agent_gets_it_with_the_last_step_and_with_no_other(world, node):
    await node.usable()
    await seeded(world, user_data=USER_DATA, network_config=NETWORK)
    await world.act("start")
    for name in (PREPARE, WRITE, GROW):
        assert "seed" not in (await node.step(name)).params
    assert (await node.step(CONFIGURE)).params["seed"] == {"user_data": USER_DATA, "network_config": NETWORK}
    await node.step("hand-over")
    await node.reports_active()
    assert SECRET not in await everything(world), "neither in events, nor in the audit log, nor in the attempt"


async def test_a_deployment_without_one_gives_none(world, node):
    await node.usable()
    await world.deploy()
    await world.act("start")
    await node.installs(GROW)
    assert "seed" not in (await node.step(CONFIGURE)).params


async def test_it_is_read_back_changed_in_part_and_taken_away(world):
    await seeded(world, user_data=USER_DATA, network_config="")
    assert await world.seeds.of("web-1") == {"user_data": USER_DATA}
    assert (await world.deployment()).seed["user_data"].kind == "cloud-config"
    await change(world, network_config=NETWORK, user_data=None)
    assert await world.seeds.of("web-1") == {"user_data": USER_DATA, "network_config": NETWORK}
    await change(world, user_data="#!/bin/sh\n")
    assert await world.seeds.of("web-1") == {"user_data": "#!/bin/sh\n", "network_config": NETWORK}
    await change(world, user_data=" \n", network_config="")
    assert ((await world.deployment()).seed, await world.seeds.of("web-1")) == ({}, {})
    assert await world.store.read(lambda db: db.execute("SELECT count(*) FROM seeds").fetchone()[0]) == 0


async def test_the_same_text_again_is_no_change(world):
    await seeded(world, user_data=USER_DATA)
    told = len(await world.events())
    await change(world, user_data=USER_DATA.replace("\n", "\r\n"))
    assert len(await world.events()) == told
    await change(world, user_data=USER_DATA + "x: y\n")
    said = (await world.events())[-1].text
    assert (said, SECRET in said) == ("ada changed web-1: what cloud-init gets", False)


async def test_it_goes_with_its_deployment(world):
    await seeded(world, user_data=USER_DATA)
    await world.wishes.delete_deployment("web-1", ADA)
    assert await world.store.read(lambda db: db.execute("SELECT count(*) FROM seeds").fetchone()[0]) == 0


async def test_what_cloud_init_would_not_take_is_refused_before_anything_is_kept(world):
    with pytest.raises(Invalid) as refused:
        await seeded(world, user_data="password: x\n")
    assert (refused.value.code, refused.value.field) == ("user-data-invalid", "user_data")


async def test_without_its_key_it_fails_before_a_disk_is_cleared(world, node):
    await node.usable()
    other = Seeds(world.store, Sealer(b"o" * 32))
    await world.deploy(seed=other.sealed({"user_data": USER_DATA}))
    assert await code_of(Conflict, world.seeds.of("web-1")) == "seed-unreadable"
    await world.act("start")
    assert await node.work() is None
    assert await state(node) == "failed"
    assert "user data of web-1 cannot be read" in (await node.seen()).failed_reason
    await change(world, user_data="#!/bin/sh\n")
    await world.act("retry")
    await node.installs(GROW)
    assert (await node.step(CONFIGURE)).params["seed"] == {"user_data": "#!/bin/sh\n"}


async def test_one_deployments_text_is_no_other_ones(world):
    """Whoever can write to the store, and has no key, gives nobody another text than its mark says."""
    await seeded(world, user_data=USER_DATA)
    await world.deploy("web-2", seed=world.seeds.sealed({"user_data": "#!/bin/sh\nls\n"}))
    swap = "UPDATE seeds SET content = (SELECT content FROM seeds WHERE deployment = 1) WHERE deployment = 2"
    await world.store.write(lambda db: db.execute(swap))
    assert await code_of(Conflict, world.seeds.of("web-2")) == "seed-unreadable"


async def test_a_boot_that_nobody_asked_for_gets_none(world, node):
    await node.usable()
    await seeded(world, user_data=USER_DATA)
    await world.act("start")
    await node.installs(GROW)
    stranger = Played(world, token="ab" * 32)
    with pytest.raises(Exception, match="session"):
        await stranger.work()
