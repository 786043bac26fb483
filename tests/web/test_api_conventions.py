"""What every endpoint promises: unknown parameters, ETags, If-Match, keys of requests, what is accepted."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from web_world import PASSWORD, World

from appliance.machine import State
from appliance.reconcile import views
from appliance.store import idempotency, machines
from appliance.store.idempotency import Kept
from appliance.workflow import Kind


async def call(admin: World, method: str, path: str, **arguments: Any) -> tuple[int, Mapping[str, str], str]:
    headers = {**admin.headers, **arguments.pop("headers", {})}
    async with admin.client.request(method, f"/api/v1{path}", headers=headers, **arguments) as response:
        return response.status, response.headers, await response.text()


async def tag_of(admin: World, path: str) -> str:
    status, headers, _ = await call(admin, "GET", path)
    assert status == 200
    return headers["ETag"]


@pytest.mark.parametrize(
    "path",
    ["/machines?stat=idle", "/machines/m1?x=1", "/images?Name=a", "/events?machin=m1", "/machines/summary?sort=name"],
)
async def test_unknown_parameters_are_refused(admin: World, path: str) -> None:
    await admin.machine()
    problem = await admin.api("GET", path, 400)
    assert (problem["code"], bool(problem["hint"]), bool(problem["field"])) == ("query-unknown", True, True)


async def test_a_change_of_what_somebody_else_changed_is_refused(admin: World) -> None:
    await admin.machine()
    tag = await tag_of(admin, "/machines/m1")
    await admin.api("PATCH", "/machines/m1", json={"notes": "mine"}, headers={"If-Match": tag})
    refused = await admin.api("PATCH", "/machines/m1", 412, json={"notes": "theirs"}, headers={"If-Match": tag})
    assert refused["code"] == "changed-meanwhile"
    assert (await admin.api("DELETE", "/machines/m1", 412, headers={"If-Match": tag}))["code"] == "changed-meanwhile"
    assert (await admin.api("GET", "/machines/m1"))["notes"] == "mine"
    fresh = await tag_of(admin, "/machines/m1")
    await admin.api("DELETE", "/machines/m1", 204, headers={"If-Match": f'"other", {fresh}'})


async def test_the_tag_is_never_newer_than_what_is_shown(admin: World, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = await admin.machine()
    view = views.machine_view

    async def changed_behind_it(*arguments: Any) -> Any:
        shown = await view(*arguments)
        await admin.services.store.write(lambda db: machines.put(db, replace(machine, notes="theirs")))
        return shown

    monkeypatch.setattr("appliance.web.api.machines.machine_view", changed_behind_it)
    tag = await tag_of(admin, "/machines/m1")
    monkeypatch.undo()
    await admin.api("PATCH", "/machines/m1", 412, json={"notes": "mine"}, headers={"If-Match": tag})


async def test_of_two_changes_at_once_one_is_refused(admin: World) -> None:
    await admin.machine()
    tag = await tag_of(admin, "/machines/m1")
    changes = [
        call(admin, "PATCH", "/machines/m1", json={"notes": str(number)}, headers={"If-Match": tag})
        for number in range(6)
    ]
    statuses = sorted([status for status, _, _ in await asyncio.gather(*changes)])
    assert statuses == [200, *[412] * 5]


async def test_what_a_machine_does_by_itself_refuses_no_change(admin: World) -> None:
    machine = await admin.machine()
    tag = await tag_of(admin, "/machines/m1")
    seen = replace(machine, last_seen=admin.clock.now, state=State.DEPLOYING)
    await admin.services.store.write(lambda db: machines.put(db, seen))
    await admin.api("PATCH", "/machines/m1", json={"notes": "x"}, headers={"If-Match": tag})


async def test_a_change_answers_with_the_tag_of_what_became(admin: World) -> None:
    await admin.machine()
    _, headers, _ = await call(admin, "PATCH", "/machines/node-1", json={"name": "db-1"})
    assert headers["ETag"] == await tag_of(admin, "/machines/db-1")


async def test_what_is_known_is_not_sent_again(admin: World) -> None:
    machine = await admin.machine()
    for path in ("/machines/m1", "/machines", "/events"):
        tag = await tag_of(admin, path)
        status, headers, text = await call(admin, "GET", path, headers={"If-None-Match": f'"x", {tag}'})
        assert (status, headers["ETag"], text) == (304, tag, "")
    tag = await tag_of(admin, "/machines/m1")
    await admin.services.store.write(lambda db: machines.put(db, replace(machine, last_seen=admin.clock.now)))
    status, _, _ = await call(admin, "GET", "/machines/m1", headers={"If-None-Match": tag})
    assert status == 200, "it was seen meanwhile"


async def test_a_creation_sent_twice_is_one(admin: World) -> None:
    await admin.image()
    key = {"Idempotency-Key": "k1"}
    made = await admin.api("POST", "/deployments", 201, json={"name": "web-1", "image": "demo"}, headers=key)
    assert await admin.api("POST", "/deployments", 201, json={"name": "web-1", "image": "demo"}, headers=key) == made
    reused = await admin.api("POST", "/deployments", 422, json={"name": "web-2", "image": "demo"}, headers=key)
    assert reused["code"] == "idempotency-reused"
    assert (await admin.api("GET", "/deployments"))["total"] == 1


async def test_after_a_day_a_key_is_a_new_one(admin: World) -> None:
    await admin.image()
    key = {"Idempotency-Key": "k1"}
    await admin.api("POST", "/deployments", 201, json={"name": "web-1", "image": "demo"}, headers=key)
    admin.clock.now += 3600 * 11
    await admin.api("GET", "/machines")  # the log-in goes on
    admin.clock.now += 3600 * 11
    await admin.api("GET", "/machines")
    admin.clock.now += 3600 * 3
    taken = await admin.api("POST", "/deployments", 409, json={"name": "web-1", "image": "demo"}, headers=key)
    assert taken["code"] == "name-taken"


async def test_an_upload_sent_twice_is_one(admin: World) -> None:
    key = {"Idempotency-Key": "u1"}
    path = "/images?name=demo&format=raw"
    made = await admin.api("POST", path, 201, data=b"\0" * 4096, headers=key)
    assert await admin.api("POST", path, 201, data=b"\0" * 4096, headers=key) == made
    assert (await admin.api("POST", path, 422, data=b"\0" * 8192, headers=key))["code"] == "idempotency-reused"


async def test_a_refused_request_may_be_mended_under_its_key(admin: World) -> None:
    key = {"Idempotency-Key": "k2"}
    await admin.api("POST", "/deployments", 404, json={"name": "web-1", "image": "demo"}, headers=key)
    await admin.image()
    await admin.api("POST", "/deployments", 201, json={"name": "web-1", "image": "demo"}, headers=key)


async def test_what_was_carried_out_is_not_done_again_where_its_answer_was_lost(
    admin: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, note = {"Idempotency-Key": "k3"}, {"name": "a", "type": "TXT", "value": "once"}

    def keep(db: sqlite3.Connection, new: Kept) -> None:
        if new.body:
            raise OSError("as if the daemon had ended here")
        kept(db, new)

    kept = idempotency.keep
    monkeypatch.setattr(idempotency, "keep", keep)
    await admin.api("POST", "/network/names", 500, json=note, headers=key)
    monkeypatch.setattr(idempotency, "keep", kept)
    lost = await admin.api("POST", "/network/names", 409, json=note, headers=key)
    assert (lost["code"], bool(lost["hint"])) == ("idempotency-lost", True)
    again = {**note, "value": "twice"}
    assert (await admin.api("POST", "/network/names", 422, json=again, headers=key))["code"] == "idempotency-reused"
    assert (await admin.api("GET", "/network/names?owner=record"))["total"] == 1
    await admin.api("POST", "/network/names", 201, json=again, headers={"Idempotency-Key": "k4"})


async def test_a_user_who_was_made_anew_hears_no_answers_of_the_one_before(admin: World) -> None:
    await admin.image()
    key, body = {"Idempotency-Key": "k5"}, {"name": "web-1", "image": "demo"}
    bob = {"name": "bob", "role": "operator", "password": PASSWORD}
    for status in (201, 409):
        await admin.api("POST", "/users", 201, json=bob)
        made = await admin.api("POST", "/sessions", 201, json={"name": "bob", "password": PASSWORD})
        theirs = {**key, "Authorization": f"Bearer {made['token']}"}
        await admin.api("POST", "/deployments", status, json=body, headers=theirs)
        await admin.api("DELETE", "/users/bob", 204)


@pytest.mark.parametrize("key", ["", "a b", "x" * 201])
async def test_keys_have_a_form(admin: World, key: str) -> None:
    refused = await admin.api(
        "POST", "/deployments", 422, json={"name": "a", "image": "b"}, headers={"Idempotency-Key": key}
    )
    assert refused["code"] == "idempotency-key-invalid"


async def test_http_says_what_is_not_taken(admin: World) -> None:
    status, headers, _ = await call(admin, "PUT", "/machines")
    assert (status, headers["Allow"]) == (405, "GET,HEAD")
    assert (await call(admin, "HEAD", "/machines"))[0] == 200
    assert (await admin.api("GET", "/machines", 406, headers={"Accept": "text/csv"}))["code"] == "not-acceptable"
    await admin.machine()
    wrong = await admin.api("PATCH", "/machines/m1", 415, data=b"notes=x", headers={"Content-Type": "text/plain"})
    assert wrong["code"] == "body-type"


async def test_a_deployment_is_changed_until_the_next_deploy(admin: World) -> None:
    await admin.image()
    await admin.image("other")
    await admin.api("POST", "/deployments", 201, json={"name": "web-1", "image": "demo"})
    change = {"name": "web-2", "image": "other", "requirements": {"cpus": 2}, "wipe_on_release": True}
    change["wipe_method"] = "secure-erase"
    changed = await admin.api("PATCH", "/deployments/web-1", json=change)
    assert (changed["name"], changed["image"]["name"], changed["wipe_on_release"]) == ("web-2", "other", True)
    assert (changed["requirements"]["cpus"], changed["wipe_method"]) == (2, "secure-erase")
    (event, *_) = (await admin.api("GET", "/events?deployment=web-2"))["items"]
    assert event["text"] == "admin changed web-1: name, image, requirements, wipe on release, way to wipe"
    for body, status, field in (
        ({"name": "No Name"}, 422, "name"),
        ({"ssh_keys": ["private"]}, 422, "ssh_keys"),
        ({"wipe_method": "burn"}, 422, "wipe_method"),
        ({"image": "none"}, 404, "image"),
        ({"machine": "m1"}, 422, "machine"),
    ):
        assert (await admin.api("PATCH", "/deployments/web-2", status, json=body))["field"] == field
    await admin.api("POST", "/deployments", 201, json={"name": "web-1", "image": "demo"})
    assert (await admin.api("PATCH", "/deployments/web-1", 409, json={"name": "web-2"}))["code"] == "name-taken"


async def test_what_is_unsafe_to_change_is_refused_with_the_reason(admin: World) -> None:
    machine = await admin.machine()
    seen = replace(machine, last_seen=admin.clock.now)
    await admin.services.store.write(lambda db: machines.put(db, seen))
    await admin.image()
    made = await admin.api("POST", "/deployments", 201, json={"name": "web-1", "image": "demo", "machine": "m1"})
    foreseen = await admin.api("GET", "/deployments/web-1/consequences?action=start")
    agreed = {"confirm": foreseen["confirm"], "content": foreseen["content"]}
    await admin.api("POST", "/deployments/web-1/start", 202, json=agreed)
    assert (await admin.api("PATCH", "/deployments/web-1", 409, json={"name": "x"}))["code"] == "deployment-used"
    await admin.api("PATCH", "/deployments/web-1", json={"wipe_on_release": True})
    await admin.attempt(machine, Kind.DEPLOY, made["id"])
    refused = await admin.api("PATCH", "/deployments/web-1", 409, json={"wipe_on_release": False})
    assert refused["code"] == "deployment-busy"


async def test_images_are_renamed_and_described(admin: World) -> None:
    await admin.image()
    changed = await admin.api("PATCH", "/images/demo", json={"name": "trixie", "description": "for web servers"})
    assert (changed["name"], changed["description"]) == ("trixie", "for web servers")
    await admin.image()
    assert (await admin.api("PATCH", "/images/demo", 409, json={"name": "trixie"}))["code"] == "name-taken"
    assert [item["name"] for item in (await admin.api("GET", "/images?q=web"))["items"]] == ["trixie"]


async def test_machines_are_counted_by_what_they_are(admin: World) -> None:
    await admin.machine(1)
    await admin.machine(2, maintenance=True)
    await admin.api("PATCH", "/machines/m1", json={"tags": ["web"]})
    summary = await admin.api("GET", "/machines/summary")
    assert summary == {
        "total": 2, "states": {"idle": 2}, "tags": {"web": 1}, "maintenance": 1, "offline": 2, "assigned": 0
    }  # fmt: skip
    some = await admin.api("GET", "/machines/summary?maintenance=false")
    assert (some["total"], some["maintenance"]) == (1, 0)


async def test_filters_come_in_the_address(admin: World) -> None:
    await admin.machine(1)
    await admin.machine(2, state=State.ACTIVE, maintenance=True)
    for query, names in (
        ("state=active&state=idle", ["node-1", "node-2"]),
        ("state=active", ["node-2"]),
        ("maintenance=false", ["node-1"]),
        ("q=00:02", ["node-2"]),
        ("offline=false", []),
        ("sort=-name&limit=1", ["node-2"]),
    ):
        assert [item["name"] for item in (await admin.api("GET", f"/machines?{query}"))["items"]] == names
    for wrong in ("state=happy", "maintenance=maybe", "sort=colour", "firmware=", "limit="):
        assert (await admin.api("GET", f"/machines?{wrong}", 422))["code"] == "query-invalid"


async def test_the_answer_to_a_repeated_upload_comes_once_all_of_it_is_read(admin: World) -> None:
    """Clients listen when they have sent everything: an answer before that would break their connection."""
    chunk, many = b"\0" * (1 << 20), 48
    headers = {"Idempotency-Key": "k-upload", "Content-Length": str(many * len(chunk))}

    async def upload() -> tuple[Any, int]:
        sent = 0

        async def chunks() -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(many):
                yield chunk
                sent += 1

        return await admin.api("POST", "/images?name=big", 201, data=chunks(), headers=headers), sent

    made, _ = await upload()
    assert await upload() == (made, many)
