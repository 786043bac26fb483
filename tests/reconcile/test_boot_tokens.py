"""Tokens of a boot, of a session and of a download: who may do what with which, once."""

import asyncio
from dataclasses import replace

import pytest
from fleet_world import Played, code_of, state

from appliance.errors import Denied, NotFound
from appliance.machine import MacAddress
from appliance.store.tokens import TOKEN_SECONDS
from appliance.workflow import PREPARE

OTHER = MacAddress("52:54:00:00:00:02")


async def test_a_token_that_nobody_gave_is_refused(world, node):
    boot = await node.firmware()
    assert await code_of(Denied, node.redeem(replace(boot, token="0" * 64))) == "token-unknown"


async def test_a_token_without_its_nonce_is_refused(world, node):
    boot = await node.firmware()
    assert await code_of(Denied, node.redeem(replace(boot, nonce="x"))) == "token-unknown"


async def test_a_token_that_is_too_old_is_refused(world, node):
    boot = await node.firmware()
    world.now += TOKEN_SECONDS + 1
    assert await code_of(Denied, node.redeem(boot)) == "token-expired"


async def expired(world, node):
    boot = await node.firmware()
    world.now += TOKEN_SECONDS + 1
    return boot, "a" * 64


async def followed_by_another_boot(_, node):
    boot = await node.firmware()
    await node.redeem(boot, "a" * 64)
    await node.redeem(await node.firmware())
    return boot, "a" * 64


async def with_the_token_of_another_machine(world, node):
    other = Played(world, OTHER, None)
    await other.boots_stack()
    return await node.firmware(), other.token


async def used_by_somebody_else(_, node):
    boot = await node.firmware()
    await node.redeem(boot)
    return boot, "a" * 64


@pytest.mark.parametrize(
    ("refused", "code", "why"),
    [
        (expired, "token-expired", "this boot token is older than ten minutes"),
        (followed_by_another_boot, "token-used", "this boot has been followed by another"),
        (with_the_token_of_another_machine, "token-used", "this machine token is another machine's"),
        (used_by_somebody_else, "token-used", "redeemed a second time, from 10.77.0.50"),
    ],
)
async def test_a_refused_boot_token_stands_in_the_timeline_once_however_often_it_is_tried(
    world, node, refused, code, why
):
    boot, token = await refused(world, node)
    with world.bus.subscribe() as heard:
        assert await code_of(Denied, node.redeem(boot, token)) == code
        assert (await asyncio.wait_for(heard.get(), 5)).kind == "agent.refused"
    for _ in range(3):
        assert await code_of(Denied, node.redeem(boot, token)) == "token-unknown"
    [event] = await world.events("agent.refused")
    assert event.machine == (await node.seen()).id
    assert why in event.reason


async def test_a_repeated_redemption_is_the_same_redemption(world, node):
    boot = await node.firmware()
    first = await node.redeem(boot, "a" * 64)
    assert await node.redeem(boot, "a" * 64) == first
    assert not await world.events("agent.refused")


async def test_a_second_redemption_quarantines_the_machine(world, node):
    await node.usable()
    boot = await node.firmware()
    await node.redeem(boot)
    mine = node.token
    assert await code_of(Denied, Played(world).redeem(boot)) == "token-used"
    assert (await node.seen()).maintenance is True
    assert await code_of(Denied, world.fleet.work(mine, "10.77.0.1")) == "session-unknown"
    [event] = await world.events("agent.refused")
    assert "second time" in event.reason


async def test_a_second_redemption_fails_the_attempt_that_runs(world, node):
    await node.usable()
    await world.deploy()
    world.now += 1000
    await world.act("start")
    boot = await node.firmware()
    await node.redeem(boot)
    await code_of(Denied, Played(world).redeem(boot))
    assert (await state(node), (await node.seen()).failed_code) == ("failed", "token-used")


async def test_a_machine_token_of_another_machine_opens_nothing(world, node):
    other = Played(world, OTHER, None)
    await node.boots_stack()
    boot = await other.firmware()
    assert await code_of(Denied, other.redeem(boot, node.token)) == "token-used"
    assert await node.work() is None


@pytest.mark.parametrize("token", ["", "x", "\udcff", "a" * 64])
async def test_wrong_tokens_open_nothing(world, node, token):
    await node.boots_stack()
    node.token = token
    assert await code_of(Denied, node.work()) == "session-unknown"
    assert await code_of(Denied, world.fleet.take_inventory(token, node.inventory())) == "session-unknown"
    assert await code_of(Denied, world.fleet.resident_wait(token, "b")) == "session-unknown"
    assert await code_of(Denied, world.fleet.image(token, 1)) == "token-unknown"
    assert await code_of(NotFound, world.fleet.poll(token)) == "session-unknown"


async def test_the_session_of_an_earlier_boot_is_worthless(world, node):
    await node.boots_stack()
    old = node.token
    await node.boots_stack()
    assert await code_of(Denied, world.fleet.work(old, "10.77.0.1")) == "session-unknown"


async def test_a_download_token_opens_its_own_image_only(world, node):
    await node.usable()
    await world.deploy()
    await world.act("start")
    await node.step(PREPARE)
    token = (await node.work()).params["image"]["token"]
    assert await code_of(Denied, world.fleet.image(token, 2)) == "token-unknown"
