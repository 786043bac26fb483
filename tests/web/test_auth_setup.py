"""The one-time link that makes the first administrator."""

import asyncio
import re
import stat

import pytest
from web_world import NAME, PASSWORD, World

from appliance.store import accounts
from appliance.web.setup import GOOD_FOR, LINK_FILE, new_code, prepare_setup


def _body(world: World, **changed: str) -> dict[str, str]:
    return {"token": world.token, "name": NAME, "password": PASSWORD, **changed}


async def test_the_link_is_in_a_private_file(world: World) -> None:
    file = world.services.state_dir / LINK_FILE
    assert file.read_text().splitlines()[0] == world.link
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}", world.token), "it is typed from a screen"


async def test_how_a_person_types_the_token_does_not_matter(world: World) -> None:
    sloppy = world.token.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    await world.api("POST", "/setup", 201, json=_body(world, token=sloppy))


async def test_no_two_tokens_are_the_same() -> None:
    assert len({new_code() for _ in range(100)}) == 100


async def test_the_link_is_good_once(world: World) -> None:
    await world.set_up()
    await world.api("GET", "/machines")
    assert not (world.services.state_dir / LINK_FILE).exists()
    again = await world.api("POST", "/setup", 409, json=_body(world, name="intruder"))
    assert again["code"] == "setup-done"
    assert await prepare_setup(world.services.store, world.services.state_dir, world.clock()) is None
    assert not (world.services.state_dir / LINK_FILE).exists()


async def test_of_two_at_once_exactly_one_wins(world: World) -> None:
    async def attempt(number: int) -> int:
        body = _body(world, name=f"admin{number}")
        async with world.client.post("/api/v1/setup", json=body) as response:
            return response.status

    statuses = await asyncio.gather(*(attempt(number) for number in range(8)))
    assert sorted(statuses) == [201] + [409] * 7
    assert len(await world.services.store.read(accounts.users)) == 1


async def test_each_start_makes_a_fresh_link(world: World) -> None:
    await prepare_setup(world.services.store, world.services.state_dir, world.clock())
    problem = await world.api("POST", "/setup", 403, json=_body(world))
    assert problem["code"] == "setup-token-wrong"


async def test_the_link_expires(world: World) -> None:
    world.clock.now += GOOD_FOR
    problem = await world.api("POST", "/setup", 403, json=_body(world))
    assert problem["code"] == "setup-token-expired"
    assert "restart" in problem["hint"]
    assert LINK_FILE in problem["hint"], "the log never shows it"


@pytest.mark.parametrize("token", ["", "0" * 64, "x"])
async def test_a_wrong_link(world: World, token: str) -> None:
    problem = await world.api("POST", "/setup", 403, json=_body(world, token=token))
    assert problem["code"] == "setup-token-wrong"


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"password": "too short"}, "password-length", "password"),
        ({"password": "x" * 500}, "password-length", "password"),
        ({"password": "aaaaaaaaaaaaaaa"}, "password-guessed", "password"),
        ({"name": "administrator", "password": "Administrator"}, "password-is-name", "password"),
        ({"name": "Not A Name"}, "name-invalid", "name"),
    ],
)
async def test_what_does_not_do(world: World, changed: dict[str, str], code: str, field: str) -> None:
    problem = await world.api("POST", "/setup", 422, json=_body(world, **changed))
    assert (problem["code"], problem["field"]) == (code, field)
    await world.set_up()  # the link is still good
