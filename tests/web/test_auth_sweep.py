"""Nothing but the public list is reachable without knowing who asks."""

import json
import re
from dataclasses import replace

import pytest
from web_world import World

from appliance.web.api.openapi import document as openapi
from appliance.web.api.routes import BASE, ENDPOINTS
from appliance.web.doors import DOORS, EVERYBODY

PUBLIC = {
    ("GET", "/setup"),
    ("POST", "/setup"),
    ("GET", "/setup/arrive"),
    ("POST", "/setup/arrive"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("GET", "/static/{version}/{name}"),
    ("GET", "/ca.pem"),
    ("GET", "/healthz"),
    ("POST", "/api/v1/setup"),
    ("POST", "/api/v1/setup/arrive"),
    ("POST", "/api/v1/sessions"),
}
"""Written down once more: an address is not made public by a slip."""


def _routes(world: World) -> list[tuple[str, str]]:
    found = set()
    for route in world.client.app.router.routes():
        assert route.resource is not None
        found.add((route.method, route.resource.canonical))
    return sorted(found)


async def test_every_route_refuses_strangers(world: World) -> None:
    await world.set_up()
    world.headers = {}
    swept = 0
    for method, canonical in _routes(world):
        if method == "HEAD" or (method, canonical) in PUBLIC:
            continue
        path = re.sub(r"\{[^}]*\}", "1", canonical)
        async with world.client.request(method, path, allow_redirects=False) as response:
            assert response.status == 401, f"{method} {path}"
            assert (await response.json())["code"] == "login-needed"
        page = {"Accept": "text/html"}
        async with world.client.request(method, path, allow_redirects=False, headers=page) as response:
            if path.startswith(("/api/", "/live")):
                assert response.status == 401
            else:
                assert response.status == 303, f"{method} {path}"
                assert response.headers["Location"].startswith("/login")
        swept += 1
    assert swept > 40


async def test_the_public_list_is_what_it_says(world: World) -> None:
    doors = world.client.app[DOORS]
    assert {door for door, role in doors.items() if role is EVERYBODY} == PUBLIC
    assert {door for door in _routes(world) if door[0] != "HEAD"} <= set(doors)
    for method, canonical in PUBLIC:
        path = re.sub(r"\{[^}]*\}", "1", canonical)
        async with world.client.request(method, path, allow_redirects=False) as response:
            assert response.status not in (303, 500), f"{method} {path}"
            assert "login-needed" not in await response.text(), f"{method} {path}"


def test_the_document_tells_which_addresses_are_public() -> None:
    """Strangers reach these three of the API and no others, and programs can read that."""
    document = json.loads(openapi(BASE, ENDPOINTS))
    said = {
        (method.upper(), BASE + path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation.get("security") == []
    }
    assert said == {("POST", f"{BASE}{each}") for each in ("/setup", "/setup/arrive", "/sessions")}
    assert said == {(method, path) for method, path in PUBLIC if path.startswith(BASE)}


def test_what_is_called_public_in_the_table_is_in_the_document() -> None:
    opened = replace(ENDPOINTS[-1], public=True)
    (methods,) = json.loads(openapi(BASE, [opened]))["paths"].values()
    assert [operation["security"] for operation in methods.values()] == [[]]


@pytest.mark.parametrize(
    "path", ["/nothing", "/static/../machines", "/static/x/..%2f..%2fmachines", "/api/v1/none", "/LOGIN"]
)
async def test_unknown_addresses_tell_strangers_nothing(world: World, path: str) -> None:
    await world.set_up()
    async with world.client.get(path, allow_redirects=False) as response:
        assert response.status in (401, 404)
        if response.status == 404:
            assert path.startswith("/static/x")


async def test_people_are_sent_to_where_they_can_get_in(world: World) -> None:
    page = {"Accept": "text/html"}
    async with world.client.get("/machines", headers=page, allow_redirects=False) as response:
        assert response.headers["Location"] == "/setup"
    await world.set_up()
    async with world.client.get("/machines?state=idle", headers=page, allow_redirects=False) as response:
        assert response.status == 303
        assert response.headers["Location"] == "/login?next=%2Fmachines%3Fstate%3Didle"
    part = {"HX-Request": "true", "HX-Current-URL": "https://site/machines?state=idle"}
    async with world.client.get("/tasks", headers=part, allow_redirects=False) as response:
        assert response.status == 401
        assert response.headers["HX-Redirect"] == "/login?next=%2Fmachines%3Fstate%3Didle"


async def test_every_answer_carries_the_security_headers(world: World) -> None:
    for path in ("/healthz", "/login", "/api/v1/machines", "/nothing"):
        async with world.client.get(path, allow_redirects=False) as response:
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'self'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "same-origin"
            assert response.headers["Cache-Control"] == "no-store"
            assert "aiohttp" not in response.headers.get("Server", "")
