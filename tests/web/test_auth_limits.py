"""Guessing passwords is slow, and locks nobody out."""

import asyncio
from contextlib import AsyncExitStack

from web_world import NAME, PASSWORD, World

from appliance.web.auth import ACCOUNTS
from appliance.web.loginlimits import FREE_PER_ADDRESS, FREE_PER_USER, LONGEST, REMEMBERED, LoginLimits
from appliance.web.passwords import WAITING


def test_delays_grow_to_a_bound() -> None:
    limits, now, waits = LoginLimits(), 0.0, []
    for _ in range(FREE_PER_USER + 12):
        wait = limits.begin("admin", "192.0.2.1", now)
        waits.append(wait)
        now += wait
        if wait:
            assert limits.begin("admin", "192.0.2.1", now) == 0
    assert waits[:FREE_PER_USER] == [0.0] * FREE_PER_USER
    assert waits[FREE_PER_USER : FREE_PER_USER + 3] == [1.0, 2.0, 4.0]
    assert waits[-1] == LONGEST == max(waits)


def test_nobody_locks_the_administrator_out_from_elsewhere() -> None:
    limits = LoginLimits()
    for _ in range(1000):
        limits.begin("admin", "192.0.2.66", 0.0)
    assert limits.begin("admin", "192.0.2.66", 0.0) > 0
    assert limits.begin("admin", "192.0.2.1", 0.0) == 0


def test_a_crowd_of_addresses_keeps_the_administrator_waiting_no_longer() -> None:
    limits, now = LoginLimits(), 0.0
    for number in range(3 * REMEMBERED):
        now += 0.001
        limits.begin("admin", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", now)
        limits.begin("admin", f"2001:db8:{number >> 16:x}:{number & 65535:x}::1", now)
    for _ in range(20):
        wait = limits.begin("admin", "192.0.2.1", now)
        assert wait <= LONGEST + 0.01
        now += wait
    assert limits.begin("admin", "192.0.2.2", now) == 0, "at another place there is no wait"


def test_many_users_from_one_address_gain_nothing() -> None:
    limits = LoginLimits()
    let_through = sum(limits.begin(f"user{number}", "192.0.2.66", 0.0) == 0 for number in range(1000))
    assert let_through == FREE_PER_ADDRESS


def test_one_ipv6_network_is_one_address() -> None:
    limits = LoginLimits()
    let_through = sum(limits.begin("admin", f"2001:db8::{number:x}", 0.0) == 0 for number in range(100))
    assert let_through == FREE_PER_USER
    assert limits.begin("admin", "2001:db8:0:1::1", 0.0) == 0


def test_success_forgets() -> None:
    limits = LoginLimits()
    for _ in range(FREE_PER_USER):
        limits.begin("admin", "192.0.2.1", 0.0)
    limits.succeeded("admin", "192.0.2.1")
    assert limits.begin("admin", "192.0.2.1", 0.0) == 0


def test_a_clock_set_back_makes_nobody_wait_longer() -> None:
    limits = LoginLimits()
    for _ in range(FREE_PER_USER):
        limits.begin("admin", "192.0.2.1", 86_400.0)
    assert 0 < limits.begin("admin", "192.0.2.1", 0.0) <= LONGEST
    assert limits.begin("admin", "192.0.2.1", LONGEST) == 0


def test_memory_is_bounded() -> None:
    limits = LoginLimits()
    for number in range(REMEMBERED + 500):
        limits.begin("admin", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0)
    assert len(limits) <= REMEMBERED


async def test_a_crowd_is_sent_away_at_once(world: World) -> None:
    await world.set_up()

    async def attempt(number: int) -> int:
        body = {"name": NAME, "password": f"guess {number}"}
        async with world.client.post("/api/v1/sessions", json=body) as response:
            return response.status

    passwords = world.client.app[ACCOUNTS].passwords
    async with AsyncExitStack() as others:
        await asyncio.wait_for(others.enter_async_context(passwords._turn()), 5)
        passwords._waiting = WAITING
        assert await attempt(1) == 503
        passwords._waiting = 1
    assert await attempt(2) == 401


async def test_over_http(world: World) -> None:
    await world.set_up()
    wrong = {"name": NAME, "password": "wrong password"}
    for _ in range(FREE_PER_USER):
        await world.api("POST", "/sessions", 401, json=wrong)
    async with world.client.post("/api/v1/sessions", json={"name": NAME, "password": PASSWORD}) as response:
        assert response.status == 429
        assert int(response.headers["Retry-After"]) >= 1
        assert (await response.json())["code"] == "login-too-often"
    world.clock.now += LONGEST
    await world.api("POST", "/sessions", 201, json={"name": NAME, "password": PASSWORD})
