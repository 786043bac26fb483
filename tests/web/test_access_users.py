"""Users: made, changed, deleted by administrators, and one of these is always left."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from access_world import OTHER, Person, audited, log_in, person, token
from aiohttp import WSMsgType
from web_world import NAME, PASSWORD, World

from appliance.web.auth import ACCOUNTS, Proof


@pytest.fixture
async def ada(admin: World) -> Person:
    return await log_in(admin)


async def test_a_user_is_made_and_may_what_the_role_says(admin: World, ada: Person) -> None:
    await admin.machine()
    viewer = await person(admin, ada, "viewer")
    assert await viewer.api("GET", "/sessions/current") == {"name": "viewer-1", "role": "viewer"}
    refused = await viewer.api("PATCH", "/machines/m1", 403, json={"notes": "x"})
    assert refused["code"] == "role-missing"
    operator = await person(admin, ada, "operator")
    await operator.api("PATCH", "/machines/m1", json={"notes": "x"})
    assert (await operator.api("GET", "/users", 403))["code"] == "role-missing"
    listed = await ada.api("GET", "/users")
    assert [(each["name"], each["role"]) for each in listed["items"]] == [
        (NAME, "admin"),
        ("operator-1", "operator"),
        ("viewer-1", "viewer"),
    ]
    assert PASSWORD not in str(listed)
    (entry, *_) = await audited(admin, action="user.create", subject="viewer-1")
    assert (entry.who, entry.after) == (NAME, {"role": "viewer", "disabled": False})


@pytest.mark.parametrize(
    "name", ["", "Ada", "a b", "<script>", "../x", "x" * 64, "ada\n", "\u202eada", "-x", "a;drop table users", "a\x00"]
)
async def test_a_name_that_does_harm_is_none(ada: Person, name: str) -> None:
    body = {"name": name, "role": "viewer", "password": PASSWORD}
    assert (await ada.api("POST", "/users", 422, json=body))["field"] == "name"
    assert (await ada.api("POST", "/tokens", 422, json={"name": name}))["field"] == "name"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "eve", "role": "root", "password": PASSWORD}, "role"),
        ({"name": "eve", "password": "short"}, "password"),
        ({"name": "evelyn-smith", "password": "evelyn-smith"}, "password"),
        ({"name": "eve"}, "password"),
    ],
)
async def test_what_does_not_do(ada: Person, body: dict[str, str], field: str) -> None:
    assert (await ada.api("POST", "/users", 422, json=body))["field"] == field


async def test_a_name_is_taken_once(ada: Person) -> None:
    body = {"name": NAME, "role": "viewer", "password": PASSWORD}
    assert (await ada.api("POST", "/users", 409, json=body))["code"] == "name-taken"


@pytest.mark.parametrize("change", [{"role": "operator"}, {"role": "viewer"}, {"disabled": True}, None])
async def test_the_last_administrator_stays(admin: World, ada: Person, change: dict[str, object] | None) -> None:
    out = await person(admin, ada, "admin", "out")
    await ada.api("PATCH", "/users/out", json={"disabled": True})
    method = "PATCH" if change else "DELETE"
    assert (await ada.api(method, f"/users/{NAME}", 409, json=change or {}))["code"] == "last-admin"
    assert (await ada.api("GET", f"/users/{NAME}"))["role"] == "admin"
    await out.api("GET", "/machines", 401)
    await ada.api("PATCH", "/users/out", json={"disabled": False})
    await ada.api(method, f"/users/{NAME}", 200 if change else 204, json=change or {})


async def test_of_two_administrators_who_demote_each_other_one_stays(admin: World, ada: Person) -> None:
    bob = await person(admin, ada, "admin", "bob")

    async def demote(by: Person, name: str) -> int:
        path = f"/api/v1/users/{name}"
        async with admin.client.patch(path, json={"role": "viewer"}, headers=by.headers) as response:
            return response.status

    assert sorted(await asyncio.gather(demote(ada, "bob"), demote(bob, NAME))) in ([200, 403], [200, 409])
    await (await log_in(admin)).api("GET", "/machines")


async def test_a_changed_role_counts_at_once(admin: World, ada: Person) -> None:
    bob = await person(admin, ada, "operator", "bob")
    await admin.machine()
    await bob.api("PATCH", "/machines/m1", json={"notes": "x"})
    await ada.api("PATCH", "/users/bob", json={"role": "viewer"})
    await bob.api("PATCH", "/machines/m1", 403, json={"notes": "y"})
    (entry,) = await audited(admin, action="user.change")
    assert (entry.before, entry.after) == ({"role": "operator"}, {"role": "viewer"})


async def test_a_changed_role_counts_at_once_where_somebody_listens(admin: World, ada: Person) -> None:
    bob = await person(admin, ada, "admin", "bob")
    async with admin.client.ws_connect("/api/v1/live", headers=bob.headers) as socket:
        assert (await socket.receive_json(timeout=5))["kind"] == "hello"
        await ada.api("PATCH", "/users/bob", json={"role": "viewer"})
        await asyncio.sleep(0)
        await ada.api("POST", "/users", 201, json={"name": "eve", "role": "viewer", "password": PASSWORD})
        machine = await admin.machine()
        await ada.api("PATCH", f"/machines/{machine.id}", json={"notes": "seen"})
        texts = []
        while not any("seen" in text for text in texts):
            message = await socket.receive_json(timeout=5)
            texts.append(message.get("event", {}).get("text", ""))
        assert not any("eve" in text for text in texts), texts


@pytest.mark.parametrize("end", ["disable", "delete", "password", "session"])
async def test_who_is_put_out_stops_listening_at_once(admin: World, ada: Person, end: str) -> None:
    bob = await person(admin, ada, "viewer", "bob")
    async with admin.client.ws_connect("/api/v1/live", headers=bob.headers) as socket:
        await socket.receive_json(timeout=5)
        match end:
            case "disable":
                await ada.api("PATCH", "/users/bob", json={"disabled": True})
            case "delete":
                await ada.api("DELETE", "/users/bob", 204)
            case "password":
                await ada.api("PUT", "/users/bob/password", 204, json={"password": OTHER})
            case _:
                (log_in_,) = (await bob.api("GET", "/sessions"))["items"]
                await ada.api("DELETE", f"/sessions/{log_in_['id']}", 204)
        while (message := await socket.receive(timeout=5)).type is WSMsgType.TEXT:
            pass
        assert message.data == 1008
    await bob.api("GET", "/machines", 401)


async def test_a_disabled_user_gets_in_by_no_way(admin: World, ada: Person) -> None:
    bob = await person(admin, ada, "operator", "bob")
    program = await token(bob, "operator")
    await ada.api("PATCH", "/users/bob", json={"disabled": True})
    await bob.api("GET", "/machines", 401)
    await program.api("GET", "/machines", 401)
    refused = await admin.api("POST", "/sessions", 403, json={"name": "bob", "password": PASSWORD})
    assert refused["code"] == "login-disabled"
    wrong = await admin.api("POST", "/sessions", 401, json={"name": "bob", "password": OTHER})
    assert wrong["code"] == "login-wrong", "who does not know the password learns nothing"
    await ada.api("PATCH", "/users/bob", json={"disabled": False})
    await bob.api("GET", "/machines", 401)
    await program.api("GET", "/machines")
    await log_in(admin, "bob")


async def test_a_deleted_user_leaves_nothing_but_the_log(admin: World, ada: Person) -> None:
    bob = await person(admin, ada, "viewer", "bob")
    program = await token(bob, "viewer")
    await ada.api("DELETE", "/users/bob", 204)
    await program.api("GET", "/machines", 401)
    await ada.api("GET", "/users/bob", 404)
    await ada.api("DELETE", "/users/bob", 404)
    assert (await ada.api("GET", "/tokens?everybody=true"))["items"] == []
    assert [each.action for each in await audited(admin, who="bob")] == ["token.create", "user.log-in"]


async def test_an_administrator_sets_a_password(admin: World, ada: Person) -> None:
    bob = await person(admin, ada, "viewer", "bob")
    await ada.api("PUT", "/users/bob/password", 422, json={"password": "short"})
    await bob.api("GET", "/machines")
    await ada.api("PUT", "/users/bob/password", 204, json={"password": OTHER})
    await bob.api("GET", "/machines", 401)
    await log_in(admin, "bob", OTHER)
    await ada.api("PUT", "/users/nobody/password", 404, json={"password": OTHER})
    refused = await ada.api("PUT", f"/users/{NAME}/password", 409, json={"password": OTHER})
    assert refused["code"] == "password-own", "one's own takes the present one"
    stored = b"".join(path.read_bytes() for path in admin.services.state_dir.glob("store.db*"))
    assert OTHER.encode() not in stored


async def test_ones_own_password(admin: World, ada: Person) -> None:
    elsewhere = await log_in(admin)
    wrong = await ada.api("PUT", "/account/password", 403, json={"old": "wrong", "password": OTHER})
    assert (wrong["code"], wrong["field"]) == ("password-wrong", "old")
    await ada.api("PUT", "/account/password", 422, json={"old": PASSWORD, "password": PASSWORD})
    await ada.api("PUT", "/account/password", 422, json={"old": PASSWORD, "password": "short"})
    await elsewhere.api("GET", "/machines")
    made = await ada.api("PUT", "/account/password", json={"old": PASSWORD, "password": OTHER})
    await elsewhere.api("GET", "/machines", 401)
    await ada.api("GET", "/machines", 401)
    renewed = Person(admin, NAME, {"Authorization": f"Bearer {made['token']}"})
    await renewed.api("GET", "/machines")
    assert len((await renewed.api("GET", "/sessions"))["items"]) == 1
    await log_in(admin, NAME, OTHER)


async def test_an_open_browser_is_no_place_to_guess_the_password(admin: World, ada: Person) -> None:
    for _ in range(4):
        await ada.api("PUT", "/account/password", 403, json={"old": "wrong", "password": OTHER})
    await ada.api("PUT", "/account/password", 429, json={"old": PASSWORD, "password": OTHER})


async def test_the_audit_log_is_for_administrators_and_is_paged(admin: World, ada: Person) -> None:
    await admin.machine()
    for number in range(5):
        await ada.api("PATCH", "/machines/m1", json={"notes": f"note {number}"})
    first = await ada.api("GET", "/audit?action=machine&limit=2")
    assert [each["after"]["notes"] for each in first["items"]] == ["note 4", "note 3"]
    assert first["total"] == 5
    second = await ada.api("GET", f"/audit?action=machine&limit=2&cursor={first['next']}")
    assert [each["after"]["notes"] for each in second["items"]] == ["note 2", "note 1"]
    entry = first["items"][0]
    assert (entry["who"], entry["role"], entry["via"], entry["address"]) == (NAME, "admin", "session", "127.0.0.1")
    assert entry["before"] == {"notes": "note 3"}
    assert (await ada.api("GET", "/audit?whom=x", 400))["field"] == "whom"


async def test_who_failed_to_get_in_is_in_the_audit_log_and_rationed(admin: World, ada: Person) -> None:
    for _ in range(3):
        await admin.api(
            "POST", "/sessions", 401, json={"name": "eve", "password": "guess"}, headers={"Authorization": ""}
        )
    found = await audited(admin, who="eve")
    assert [(each.action, each.outcome) for each in found] == [("user.log-in", "failed")] * 3
    assert "guess" not in str(found)


async def test_log_ins_and_outs_are_in_the_audit_log(admin: World) -> None:
    bob = await log_in(admin)
    await bob.api("DELETE", "/sessions/current", 204)
    assert [each.action for each in await audited(admin)][:2] == ["user.log-out", "user.log-in"]


async def test_a_change_of_what_somebody_else_has_changed_is_refused(admin: World, ada: Person) -> None:
    await person(admin, ada, "viewer", "bob")
    async with admin.client.get("/api/v1/users/bob", headers=ada.headers) as response:
        seen = {"If-Match": response.headers["ETag"]}
    await ada.api("PATCH", "/users/bob", json={"role": "operator"}, headers={**ada.headers, **seen})
    refused = await ada.api("PATCH", "/users/bob", 412, json={"role": "admin"}, headers={**ada.headers, **seen})
    assert refused["code"] == "changed-meanwhile"
    await ada.api("DELETE", "/users/bob", 412, headers={**ada.headers, **seen})


async def test_no_digest_of_a_password_is_kept_for_repeated_requests(admin: World, ada: Person) -> None:
    headers = {**ada.headers, "Idempotency-Key": "once"}
    body = {"name": "eve", "role": "viewer", "password": PASSWORD}
    await ada.api("POST", "/users", 201, json=body, headers=headers)
    assert (await ada.api("POST", "/users", 409, json=body, headers=headers))["code"] == "name-taken"


@pytest.mark.parametrize(("method", "change"), [("DELETE", None), ("PATCH", {"role": "operator"})])
async def test_who_may_no_more_changes_nothing_with_a_request_that_came_slowly(
    admin: World, ada: Person, monkeypatch: pytest.MonkeyPatch, method: str, change: dict[str, str] | None
) -> None:
    eve = await person(admin, ada, "admin", "eve")
    let_in, rest = asyncio.Event(), asyncio.Event()
    app = admin.client.app
    assert app is not None
    accounts = app[ACCOUNTS]
    prove = accounts.prove

    async def proven(*arguments: Any, **more: Any) -> Proof | None:
        found: Proof | None = await prove(*arguments, **more)
        let_in.set()
        return found

    async def drips() -> AsyncIterator[bytes]:
        yield b'{"name": "backdoor", "role": "admin",'
        await rest.wait()
        yield f'"password": "{OTHER}"}}'.encode()

    headers = {**eve.headers, "Content-Type": "application/json"}
    async with asyncio.TaskGroup() as tasks:
        monkeypatch.setattr(accounts, "prove", proven)
        asking = tasks.create_task(_status(admin, headers, drips()))
        await let_in.wait()
        await ada.api(method, "/users/eve", 204 if change is None else 200, json=change)
        rest.set()
    assert asking.result() == (401 if change is None else 403)
    assert "backdoor" not in {each["name"] for each in (await ada.api("GET", "/users"))["items"]}


async def _status(admin: World, headers: dict[str, str], content: AsyncIterator[bytes]) -> int:
    async with admin.client.post("/api/v1/users", data=content, headers=headers) as response:
        return response.status
