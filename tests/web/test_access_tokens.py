"""API tokens: shown once, never more than their owner, and worthless when they end."""

import pytest
from access_world import Person, audited, log_in, person, token
from web_world import PASSWORD, World

from appliance.store import api_tokens
from appliance.web.api_tokens import PREFIX
from appliance.web.auth import COOKIE
from appliance.web.loginlimits import FREE_PER_ADDRESS

DAY = 86400.0


@pytest.fixture
async def ada(admin: World) -> Person:
    return await log_in(admin)


async def test_it_is_shown_once_and_stored_as_a_hash(admin: World, ada: Person) -> None:
    made = await ada.api("POST", "/tokens", 201, json={"name": "ci", "scope": "viewer"})
    assert made["token"].startswith(PREFIX)
    assert len(made["token"]) == len(PREFIX) + 64
    listed = await ada.api("GET", "/tokens")
    assert made["token"] not in str(listed)
    assert listed["items"][0]["expires"] == admin.clock.now + 90 * DAY
    stored = b"".join(path.read_bytes() for path in admin.services.state_dir.glob("store.db*"))
    assert made["token"].encode() not in stored
    assert made["token"][4:].encode() not in stored
    assert (await ada.api("POST", "/tokens", 409, json={"name": "ci"}))["code"] == "name-taken"


async def test_it_acts_in_its_owner_s_name_and_says_so(admin: World, ada: Person) -> None:
    await admin.machine()
    program = await token(ada, "operator", "ci")
    await program.api("PATCH", "/machines/m1", json={"notes": "by a program"})
    (entry,) = await audited(admin, action="machine")
    assert (entry.who, entry.role, entry.via) == ("admin", "operator", "token ci")


@pytest.mark.parametrize(
    ("role", "scope", "effective"),
    [("admin", "viewer", "viewer"), ("admin", "operator", "operator"), ("admin", "admin", "admin")],
)
async def test_it_may_what_its_scope_says(ada: Person, role: str, scope: str, effective: str) -> None:
    program = await token(ada, scope)
    assert (await program.api("GET", "/sessions/current"))["role"] == effective


async def test_it_never_may_more_than_its_owner(admin: World, ada: Person) -> None:
    bob = await person(admin, ada, "operator", "bob")
    assert (await bob.api("POST", "/tokens", 422, json={"name": "x", "scope": "admin"}))["code"] == "scope-too-wide"
    program = await token(bob, "operator")
    await ada.api("PATCH", "/users/bob", json={"role": "viewer"})
    assert (await program.api("GET", "/sessions/current"))["role"] == "viewer"
    await ada.api("PATCH", "/users/bob", json={"role": "admin"})
    assert (await program.api("GET", "/sessions/current"))["role"] == "operator"


async def test_it_ends(admin: World, ada: Person) -> None:
    program = await token(ada, "viewer", days=2)
    admin.clock.now += 2 * DAY - 1
    await program.api("GET", "/machines")
    admin.clock.now += 1
    await program.api("GET", "/machines", 401)


async def test_only_an_administrator_s_may_be_without_an_end(admin: World, ada: Person) -> None:
    made = await ada.api("POST", "/tokens", 201, json={"name": "forever", "days": None})
    assert made["about"]["expires"] is None
    bob = await person(admin, ada, "operator", "bob")
    assert (await bob.api("POST", "/tokens", 422, json={"name": "forever", "days": None}))["field"] == "days"
    for days in (0, 731, -1):
        await bob.api("POST", "/tokens", 422, json={"name": "long", "days": days})


async def test_it_gives_nobody_access(admin: World, ada: Person) -> None:
    await person(admin, ada, "viewer", "bob")
    program = await token(ada, "admin")
    for method, path, body in (
        ("POST", "/tokens", {"name": "more"}),
        ("POST", "/users", {"name": "eve", "role": "admin", "password": PASSWORD}),
        ("PATCH", "/users/bob", {"role": "admin"}),
        ("PUT", "/users/bob/password", {"password": PASSWORD}),
        ("PUT", "/account/password", {"old": PASSWORD, "password": PASSWORD}),
    ):
        assert (await program.api(method, path, 403, json=body))["code"] == "token-insufficient", path
    await program.api("DELETE", "/users/bob", 204)


async def test_it_is_no_cookie(admin: World, ada: Person) -> None:
    program = await token(ada, "admin")
    admin.headers = {"Cookie": f"{COOKIE}={program.headers['Authorization'].removeprefix('Bearer ')}"}
    await admin.api("GET", "/machines", 401)


async def test_its_last_use_is_noted_once_a_minute(admin: World, ada: Person) -> None:
    program = await token(ada, "viewer")
    begin = admin.clock.now

    async def used() -> float | None:
        (stored,) = await admin.services.store.read(api_tokens.every)
        assert stored.used_from == "127.0.0.1"
        return stored.used

    for seconds, expected in ((0.0, begin), (59.0, begin), (60.0, begin + 60)):
        admin.clock.now = begin + seconds
        await program.api("GET", "/machines")
        assert await used() == expected


async def test_everybody_s_are_for_administrators(admin: World, ada: Person) -> None:
    bob = await person(admin, ada, "operator", "bob")
    await token(bob, "viewer", "mine")
    await token(ada, "viewer", "hers")
    assert [each["name"] for each in (await bob.api("GET", "/tokens"))["items"]] == ["mine"]
    await bob.api("GET", "/tokens?everybody=true", 403)
    every = (await ada.api("GET", "/tokens?everybody=true"))["items"]
    assert {each["name"] for each in every} == {"mine", "hers"}
    (hers,) = (each["id"] for each in every if each["name"] == "hers")
    (mine,) = (each["id"] for each in every if each["name"] == "mine")
    assert (await bob.api("DELETE", f"/tokens/{hers}", 403))["code"] == "token-foreign"
    await bob.api("GET", f"/tokens/{hers}", 403)
    await bob.api("DELETE", "/tokens/hers", 404)
    await ada.api("DELETE", f"/tokens/{mine}", 204)
    await ada.api("DELETE", "/tokens/hers", 204)
    assert (await ada.api("GET", "/tokens?everybody=true"))["items"] == []


async def test_a_deleted_one_is_worthless_at_once(admin: World, ada: Person) -> None:
    program = await token(ada, "viewer", "ci")
    await program.api("GET", "/machines")
    async with admin.client.ws_connect("/api/v1/live", headers=program.headers) as socket:
        await socket.receive_json(timeout=5)
        await ada.api("DELETE", "/tokens/ci", 204)
        while not (message := await socket.receive(timeout=5)).type.name.startswith("CLOS"):
            pass
        assert message.data == 1008
    await program.api("GET", "/machines", 401)


async def test_guesses_are_slowed_and_shut_no_program_out(admin: World, ada: Person) -> None:
    program = await token(ada, "viewer")
    await program.api("GET", "/machines")
    stranger = Person(admin, "", {"Authorization": f"Bearer {PREFIX}{'0' * 64}"})
    for _ in range(FREE_PER_ADDRESS):
        await stranger.api("GET", "/machines", 401)
    assert (await stranger.api("GET", "/machines", 429))["code"] == "login-too-often"
    await program.api("GET", "/machines")
    later = await log_in(admin)
    never_seen = await token(later, "viewer", "never-seen")
    await never_seen.api("GET", "/machines")
    await stranger.api("GET", "/machines", 429)
    admin.clock.now += 60
    await stranger.api("GET", "/machines", 401)


async def test_one_ends_itself_and_nothing_else(admin: World, ada: Person) -> None:
    """One that was made to look on must not put its owner out, nor silence what else runs in their name."""
    program, other = await token(ada, "viewer", "looks-on"), await token(ada, "admin", "other")
    (log_in_, *_) = (await ada.api("GET", "/sessions"))["items"]
    await token(ada, "viewer", "ours")
    for asker in (program, other):
        for path in (f"/sessions/{log_in_['id']}", "/tokens/ours"):
            assert (await asker.api("DELETE", path, 403))["code"] == "token-insufficient", path
    await ada.api("GET", "/machines")
    await program.api("DELETE", "/tokens/looks-on", 204)
    await program.api("GET", "/machines", 401)


@pytest.mark.parametrize("given", [PREFIX, f"{PREFIX}x", f"{PREFIX}{'0' * 63}", f"{PREFIX}é", f"{PREFIX}{'0' * 5000}"])
async def test_wrong_tokens(admin: World, given: str) -> None:
    admin.headers = {"Authorization": f"Bearer {given}"}
    await admin.api("GET", "/machines", 401)
