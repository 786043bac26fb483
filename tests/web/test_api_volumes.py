"""Volumes for programs, in a pool of memory and in a directory: at once where that is quick, as a task where not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import pytest
from access_world import log_in, person
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storage_bench import at_work, memory_pool
from web_world import World, open_world

from appliance.catalogue import Image, ImageId
from appliance.errors import ApplianceError
from appliance.pool import Use
from appliance.store import catalogue, pools
from appliance.volume import PoolId, VolumeId
from appliance.web.api import pool_shapes as shapes

GIB = 1 << 30
FAST = "/pools/fast/volumes"


@pytest.fixture
async def storing(admin: World, tmp_path: Path) -> AsyncIterator[World]:
    """With the pools ``fast``, of memory, and ``files``, a directory."""
    (tmp_path / "pool").mkdir()
    async with at_work(admin.services):
        await memory_pool(admin.services)
        made = {"name": "files", "kind": "directory", "place": str(tmp_path / "pool")}
        await done(admin, await admin.api("POST", "/pools", 202, json=made))
        yield admin


async def done(world: World, task: Any) -> Any:
    """The task, once it is done."""
    async with asyncio.timeout(20):
        while task["status"] in ("waiting", "running"):
            await asyncio.sleep(0.01)
            task = await world.api("GET", f"/tasks/{task['id']}")
    assert task["status"] == "done", task
    return task


async def names(world: World, query: str = "") -> list[str]:
    return [each["name"] for each in (await world.api("GET", f"/volumes{query}"))["items"]]


async def test_the_life_of_a_volume(storing: World) -> None:
    made = await storing.api("POST", FAST, 201, json={"name": "web", "size": GIB + 1, "golden": True})
    assert made["task"] is None
    web = await storing.api("GET", f"{FAST}/web")
    assert (web["id"], web["size"], web["golden"], web["use"]) == (made["volume"], GIB + (4 << 20), True, "user")
    assert (web["pool"]["name"], web["format"], web["in_use"], web["work"]) == ("fast", "raw", False, None)
    await storing.api("POST", f"{FAST}/web/snapshot", 201, json={"name": "monday"})
    await storing.api("POST", f"{FAST}/{web['id']}/clone", 201, json={"name": "customer1", "size": 2 * GIB})
    await storing.api("POST", f"{FAST}/customer1/grow", json={"size": 3 * GIB})
    renamed = await storing.api("PATCH", f"{FAST}/customer1", json={"name": "customer2", "golden": True})
    assert (renamed["name"], renamed["size"], renamed["golden"], renamed["origin"]) == (
        "customer2",
        3 * GIB,
        True,
        web["id"],
    )
    foreseen = await storing.api("GET", f"{FAST}/web/consequences?action=roll-back&snapshot=monday")
    assert (foreseen["confirm"], foreseen["destroys"]) == ("web", True)
    wish = {"snapshot": "monday"}
    assert (await storing.api("POST", f"{FAST}/web/roll-back", 409, json=wish))["code"] == "confirmation-needed"
    await storing.api("POST", f"{FAST}/web/roll-back", json={**wish, "confirm": "web"})
    assert await names(storing) == ["customer2", "monday", "web"]
    refused = await storing.api("GET", f"{FAST}/web/consequences?action=delete")
    assert "golden" in refused["refused"]
    assert (await storing.api("DELETE", f"{FAST}/web?confirm=web", 409))["code"] == "volume-refused"
    await storing.api("PATCH", f"{FAST}/web", json={"golden": False})
    lost = await storing.api("DELETE", f"{FAST}/web", 409)
    assert (lost["code"], "1.0 GiB" in lost["detail"]) == ("confirmation-needed", True)
    await storing.api("DELETE", f"{FAST}/web?confirm=web", 204)
    assert await names(storing) == ["customer2", "monday"]
    assert (await storing.api("GET", f"{FAST}/web", 404))["code"] == "volume-unknown"
    told = [each["text"] for each in (await storing.api("GET", "/events?kind=volume.changed"))["items"]]
    assert told[0] == "admin deleted web in fast"
    assert {each["action"] for each in (await storing.api("GET", "/audit?action=volume"))["items"]} >= {
        "volume.create",
        "volume.delete",
        "volume.mark",
    }


async def test_what_takes_long_is_a_task(storing: World) -> None:
    of = "/pools/files/volumes"
    await storing.api("POST", of, 201, json={"name": "web", "size": 8 << 20})
    headers = {**storing.headers, "Idempotency-Key": "k1"}
    async with storing.client.post(f"/api/v1{of}/web/clone", json={"name": "copy"}, headers=headers) as response:
        assert response.status == 202
        task = (await response.json())["task"]
        assert response.headers["Location"] == f"/api/v1/tasks/{task['id']}"
    assert (task["kind"], task["title"]) == ("volume.clone", "Cloning a volume as copy in files")
    result = (await done(storing, task))["result"]
    again = await storing.api("POST", f"{of}/web/clone", 202, json={"name": "copy"}, headers=headers)
    assert (again["task"]["id"], again["volume"]) == (task["id"], result["volume"]), "asked twice, it is done once"
    assert await names(storing, "?pool=files") == ["copy", "web"]


async def test_a_golden_volume_is_made_of_an_image_as_a_task(storing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    async def make(order: Any, *_: object) -> int:
        made.append(order.least)
        order.target.write_bytes(b"files" + bytes((8 << 20) - 5))
        return 8 << 20

    async def there(_: str) -> None:
        """Whatever this computer has."""

    monkeypatch.setattr("appliance.reconcile.fillings.make", make)
    monkeypatch.setattr("appliance.reconcile.goldens.check_programs", there)
    web, disk = await image_of(storing, "web", "squashfs"), await image_of(storing, "disk", "raw")
    said = await storing.api("POST", FAST, 202, json={"name": "golden-web", "image": "web", "size": 5 << 20})
    assert (said["task"]["kind"], said["task"]["title"]) == (
        "volume.fill",
        "Making the golden volume golden-web in fast",
    )
    await done(storing, said["task"])
    assert made == [8 << 20]
    found = await storing.api("GET", f"{FAST}/golden-web")
    assert (found["id"], found["golden"], found["read_only"], found["use"]) == (said["volume"], True, True, "image")
    assert found["of"] == str(web)
    for asked, status, code in (
        ({"image": "web"}, 409, "golden-there"),
        ({"image": "disk"}, 409, "image-not-deployable"),
        ({"image": "none"}, 404, "image-unknown"),
        ({"image": "web", "size": -1}, 422, "body-field"),
        ({}, 422, "volume-size"),
    ):
        refusal = await storing.api("POST", FAST, status, json={"name": "other", **asked})
        assert refusal["code"] == code, asked
    assert disk
    clone = await storing.api("POST", f"{FAST}/golden-web/clone", 201, json={"name": "customer1"})
    assert clone["volume"]


async def image_of(storing: World, name: str, form: Any) -> int:
    """In the store only."""
    new = Image(ImageId(0), name, "", form, 1 << 20, 1 << 20, "ab" * 32, 512, 1.0)
    return (await storing.services.store.write(lambda db: catalogue.add_image(db, new))).id


async def test_lists_are_filtered_sorted_and_paged(storing: World) -> None:
    for number in (1, 2, 3):
        await storing.api("POST", FAST, 201, json={"name": f"v{number}", "size": number * GIB})
    await storing.api("POST", "/pools/files/volumes", 201, json={"name": "file", "size": 4 << 20, "golden": True})
    (v1,) = (await storing.api("GET", "/volumes?q=v1"))["items"]
    await storing.api("POST", f"{FAST}/v1/snapshot", 201, json={"name": "kept"})
    for query, found in (
        ("?pool=files", ["file"]),
        ("?golden=true", ["file"]),
        ("?golden=false&read_only=true", ["kept"]),
        (f"?origin={v1['id']}", ["kept"]),
        ("?sort=-size&limit=2", ["v3", "v2"]),
        ("?use=image&use=vm", []),
        ("?in_use=true", []),
        ("?trouble=true", []),
        ("?limit=10000&q=v", ["v1", "v2", "v3"]),
    ):
        assert await names(storing, query) == found, query
    first = await storing.api("GET", "/volumes?limit=3&sort=pool")
    rest = await storing.api("GET", f"/volumes?limit=3&sort=pool&cursor={first['next']}")
    assert (first["total"], rest["next"]) == (5, None)
    shown = [each["name"] for each in first["items"] + rest["items"]]
    assert shown == ["kept", "v1", "v2", "v3", "file"]
    assert (await storing.api("GET", f"/volumes?cursor={first['next']}", 400))["code"] == "cursor-invalid"
    assert (await storing.api("GET", "/volumes?pool=none", 404))["code"] == "pool-unknown"
    for wrong in ("limit=10001", "golden=maybe", "use=colour", "sort=colour", "origin=" + "x" * 300):
        assert (await storing.api("GET", f"/volumes?{wrong}", 422))["code"] == "query-invalid"


async def test_a_pool_that_is_away_has_none_and_says_so(storing: World) -> None:
    await storing.api("POST", FAST, 201, json={"name": "web", "size": GIB})
    storing.services.storage().rooms.on.memory("fast").here = False
    assert await names(storing) == []
    (fast,) = [each for each in (await storing.api("GET", "/pools"))["items"] if each["name"] == "fast"]
    assert (fast["here"], fast["data"], fast["trouble"]) == (False, None, "the pool is not there")
    assert (await storing.api("GET", f"{FAST}/web", 404))["code"] == "pool-missing"
    assert (await storing.api("POST", FAST, 404, json={"name": "x", "size": GIB}))["code"] == "pool-missing"


async def test_what_is_kept_of_a_lost_volume_is_forgotten(storing: World) -> None:
    await storing.api("POST", FAST, 201, json={"name": "web", "size": GIB})
    storing.services.storage().rooms.on.memory("fast").kept.clear()
    (lost,) = (await storing.api("GET", "/pools/fast"))["lost"]
    assert (lost["name"], lost["use"]) == ("web", "user")
    assert (
        "not in its pool any more" in (await storing.api("GET", f"{FAST}/web/consequences?action=delete"))["texts"][0]
    )
    await storing.api("DELETE", f"{FAST}/web?confirm=web", 204)
    assert (await storing.api("GET", "/pools/fast"))["lost"] == []


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"name": "", "size": GIB}, "volume-name", "name"),
        ({"name": "../x", "size": GIB}, "volume-name", "name"),
        ({"name": "a b", "size": GIB}, "volume-name", "name"),
        ({"name": "x" * 64, "size": GIB}, "volume-name", "name"),
        ({"name": "web", "size": 0}, "volume-size", "size"),
        ({"name": "web", "size": -1}, "body-field", "size"),
        ({"name": "web", "size": (1 << 50) + 1}, "body-field", "size"),
        ({"name": "web", "size": "10G"}, "body-field", "size"),
        ({"name": "web"}, "volume-size", "size"),
        ({"name": "web", "size": GIB, "path": "/dev/sda"}, "body-field", "path"),
    ],
)
async def test_bad_values_are_refused_at_their_fields(storing: World, body: Any, code: str, field: str) -> None:
    refused = await storing.api("POST", FAST, 422, json=body)
    assert (refused["code"], refused["field"]) == (code, field)
    assert await names(storing) == []


async def test_what_does_not_fit_is_refused(storing: World) -> None:
    await storing.api("POST", FAST, 201, json={"name": "web", "size": 2 * GIB})
    for method, path, body, code in (
        ("POST", FAST, {"name": "web", "size": GIB}, "name-taken"),
        ("POST", FAST, {"name": "big", "size": 1 << 45}, "pool-too-small"),
        ("POST", f"{FAST}/web/grow", {"size": GIB}, "volume-shrinks"),
        ("POST", f"{FAST}/web/clone", {"name": "c", "size": GIB}, "volume-shrinks"),
        ("POST", f"{FAST}/web/roll-back", {"snapshot": "web", "confirm": "web"}, "volume-refused"),
        ("PATCH", f"{FAST}/web", {"name": "web"}, ""),
    ):
        if code:
            assert (await storing.api(method, path, 409, json=body))["code"] == code
        else:
            await storing.api(method, path, json=body)
    missing = await storing.api("GET", f"{FAST}/web/consequences?action=roll-back", 422)
    assert (missing["code"], missing["field"]) == ("query-missing", "snapshot")


async def test_operators_run_volumes_and_viewers_look(storing: World) -> None:
    ada = await log_in(storing)
    operator, viewer = await person(storing, ada, "operator"), await person(storing, ada, "viewer")
    await operator.api("POST", FAST, 201, json={"name": "web", "size": GIB})
    assert (await viewer.api("GET", f"{FAST}/web"))["name"] == "web"
    assert (await viewer.api("POST", f"{FAST}/web/snapshot", 403, json={"name": "x"}))["code"] == "role-missing"
    assert (await viewer.api("DELETE", f"{FAST}/web?confirm=web", 403))["code"] == "role-missing"
    assert (await operator.api("POST", "/pools/fast/retire", 403, json={"confirm": "fast"}))["code"] == "role-missing"
    await operator.api("DELETE", f"{FAST}/web?confirm=web", 204)


async def test_a_failure_of_the_pool_is_told_as_it_is(storing: World) -> None:
    memory = storing.services.storage().rooms.on.memory("fast")
    memory.refusing["create"] = ApplianceError("storage-failed", "the disk does not answer", "look at its cable")
    refused = await storing.api("POST", FAST, 503, json={"name": "web", "size": GIB})
    assert (refused["code"], refused["hint"]) == ("storage-failed", "look at its cable")


async def test_whose_a_volume_is_is_said(storing: World) -> None:
    made = await storing.api("POST", FAST, 201, json={"name": "web", "size": GIB})
    known = await storing.services.store.read(lambda db: pools.volumes(db, PoolId(made["pool"])))
    assert known[VolumeId(made["volume"])].use == "user"


NAMES = st.text(max_size=70) | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
SIZES = st.integers(-1, 1 << 51) | st.floats() | st.text(max_size=5) | st.none() | st.booleans()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(wishes=st.lists(st.tuples(NAMES, SIZES), min_size=5, max_size=15))
def test_any_name_and_size_is_made_as_asked_or_refused(
    tmp_path_factory: pytest.TempPathFactory, wishes: list[tuple[str, Any]]
) -> None:
    """Never a defect, and never a volume of another name or of less than was asked for."""
    asyncio.run(_any(tmp_path_factory.mktemp("world"), wishes))


async def _any(directory: Path, wishes: list[tuple[str, Any]]) -> None:
    async with open_world(directory) as world:
        await world.set_up()
        async with at_work(world.services):
            await memory_pool(world.services)
            for name, size in wishes:
                headers = {**world.headers, "Content-Type": "application/json"}
                body = {"name": name, "size": size}
                async with world.client.post(f"/api/v1{FAST}", json=body, headers=headers) as response:
                    answer = await response.json(content_type=None)
                    assert response.status in (201, 409, 422), answer
                if response.status == 201:
                    made = await world.api("GET", f"{FAST}/{answer['volume']}")
                    assert (made["name"], made["size"] >= size, made["size"] % (4 << 20)) == (name, True, 0)
                else:
                    assert answer["code"] in (
                        "volume-name",
                        "body-field",
                        "volume-size",
                        "body-invalid",
                        "name-taken",
                        "pool-too-small",
                    )


def test_the_api_knows_every_use() -> None:
    assert set(get_args(shapes.Use)) == {str(each) for each in Use}
