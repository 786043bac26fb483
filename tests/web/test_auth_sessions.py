"""Log-ins: how they begin, what ends them, who may use them from where."""

from typing import Literal

import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError
from web_world import FAST, NAME, PASSWORD, World

from appliance.store import events, log_ins
from appliance.store.tokens import hash_token
from appliance.web.auth import ABSOLUTE_END, COOKIE, IDLE_END
from appliance.web.passwords import Passwords

LOGIN = {"name": NAME, "password": PASSWORD}


async def test_token_and_cookie(world: World) -> None:
    await world.set_up()
    async with world.client.post("/api/v1/sessions", json=LOGIN) as response:
        assert response.status == 201
        made = await response.json()
        cookie = response.cookies[COOKIE]
    assert len(made["token"]) == 64
    assert made["expires"] == world.clock() + ABSOLUTE_END
    assert made["user"] == {"name": NAME, "role": "admin"}
    assert cookie.value == made["token"]
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"], cookie["path"]) == (True, True, "Lax", "/")
    world.headers = {"Authorization": f"Bearer {made['token']}"}
    assert (await world.api("GET", "/sessions/current"))["name"] == NAME
    world.headers = {"Cookie": f"{COOKIE}={made['token']}"}
    assert (await world.api("GET", "/sessions/current"))["name"] == NAME


async def test_only_the_hash_is_stored(world: World) -> None:
    token = await world.set_up()
    stored = await world.services.store.read(lambda db: log_ins.find(db, hash_token(token)))
    assert stored is not None
    assert stored[1].hash != token
    content = b"".join(path.read_bytes() for path in world.services.state_dir.glob("store.db*"))
    assert token.encode() not in content
    assert PASSWORD.encode() not in content
    assert world.token.encode() not in content


async def test_wrong_password_and_unknown_user_look_the_same(world: World) -> None:
    await world.set_up()
    wrong = await world.api(
        "POST", "/sessions", 401, json={**LOGIN, "password": "wrong"}, headers={"Authorization": ""}
    )
    unknown = await world.api("POST", "/sessions", 401, json={**LOGIN, "name": "nobody"}, headers={"Authorization": ""})
    assert wrong == unknown
    assert wrong["code"] == "login-wrong"
    told = [event.text for event in await world.services.store.read(events.query)]
    assert any("log-in as 'nobody' from 127.0.0.1 failed" in text for text in told)


async def test_an_unknown_user_costs_as_much_as_a_known_one() -> None:
    class Watched(PasswordHasher):
        """Knows what it compared with, where the password was another one in the end."""

        def __init__(self) -> None:
            super().__init__(time_cost=2, memory_cost=80, parallelism=3, hash_len=24, salt_len=8)
            self.differed: list[Parameters] = []

        def verify(self, stored: str | bytes, password: str | bytes) -> Literal[True]:
            try:
                return super().verify(stored, password)
            except VerifyMismatchError:  # all the work is done by then; a hash that is none fails before it
                self.differed.append(extract_parameters(str(stored)))
                raise

    hasher = Watched()
    passwords = Passwords(hasher)
    assert await passwords.matches(None, "right") is False
    assert await passwords.matches(hasher.hash("right"), "wrong") is False
    unknown, known = hasher.differed
    assert unknown == known


async def test_passwords_are_compared_as_text_not_as_code_points() -> None:
    passwords = Passwords(FAST)
    stored = await passwords.hash("Zo\u00eb's long password")
    assert await passwords.matches(stored, "Zoe\u0308's long password")


async def test_log_out(admin: World) -> None:
    await admin.api("DELETE", "/sessions/current", 204)
    assert (await admin.api("GET", "/machines", 401))["detail"] == "this log-in has ended"


@pytest.mark.parametrize("token", ["", "x", "0" * 64, "\x01", "a b", "é" * 32])
async def test_wrong_tokens(admin: World, token: str) -> None:
    admin.headers = {}
    async with admin.client.get(
        "/api/v1/machines", headers={"Authorization": f"Bearer {token}".strip()} if token.isprintable() else {}
    ) as response:
        assert response.status == 401
        assert "Bearer" in response.headers["WWW-Authenticate"]


async def test_a_log_in_ends_when_idle(admin: World) -> None:
    for _ in range(3):
        admin.clock.now += IDLE_END - 1
        await admin.api("GET", "/machines")
    admin.clock.now += IDLE_END
    await admin.api("GET", "/machines", 401)


async def test_a_log_in_ends_after_a_week_however_busy(admin: World) -> None:
    end = admin.clock.now + ABSOLUTE_END
    while admin.clock.now + 3600 < end:
        admin.clock.now += 3600
        await admin.api("GET", "/machines")
    admin.clock.now = end
    await admin.api("GET", "/machines", 401)


async def test_last_use_is_written_once_a_minute(world: World) -> None:
    token = await world.set_up()
    start = world.clock.now

    async def used() -> float:
        stored = await world.services.store.read(lambda db: log_ins.find(db, hash_token(token)))
        assert stored
        return stored[0].used

    world.clock.now += 59
    await world.api("GET", "/machines")
    assert await used() == start
    world.clock.now += 1
    await world.api("GET", "/machines")
    assert await used() == world.clock.now


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://[::1"},
    ],
)
async def test_another_site_cannot_use_the_cookie(world: World, headers: dict[str, str]) -> None:
    token = await world.set_up()
    await world.machine()
    world.headers = {"Cookie": f"{COOKIE}={token}", **headers}
    for method, path in (("DELETE", "/machines/m1"), ("PATCH", "/machines/m1"), ("POST", "/deployments")):
        problem = await world.api(method, path, 403, json={})
        assert problem["code"] == "origin-foreign"
    async with world.client.post("/logout", headers=world.headers) as response:
        assert response.status == 403
    assert len((await world.api("GET", "/machines"))["items"]) == 1


async def test_a_page_of_ours_can_use_the_cookie(world: World) -> None:
    token = await world.set_up()
    await world.machine()
    own = str(world.client.make_url("")).rstrip("/")
    world.headers = {"Cookie": f"{COOKIE}={token}", "Origin": own}
    await world.api("PATCH", "/machines/m1", json={"notes": "a"})
    world.headers = {"Cookie": f"{COOKIE}={token}", "Sec-Fetch-Site": "same-origin"}
    await world.api("PATCH", "/machines/m1", json={"notes": "b"})


async def test_another_site_cannot_log_somebody_in(world: World) -> None:
    await world.set_up()
    world.headers = {"Origin": "https://evil.example"}
    assert (await world.api("POST", "/sessions", 403, json=LOGIN))["code"] == "origin-foreign"


async def test_a_form_cannot_pose_as_json(admin: World) -> None:
    problem = await admin.api("POST", "/deployments", 415, data=b'{"name":"x"}', headers={"Content-Type": "text/plain"})
    assert problem["code"] == "body-type"


@pytest.mark.parametrize("host", ["", "a b", "evil/", "x" * 300])
async def test_a_request_has_to_name_a_host(world: World, host: str) -> None:
    assert (await world.api("GET", "/machines", 422, headers={"Host": host}))["code"] == "host-invalid"
