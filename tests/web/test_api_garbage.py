"""Whatever is sent, the answer is never 500, and the appliance goes on."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web_world import World, open_world

from appliance.errors import ApplianceError
from appliance.web.api.routes import ENDPOINTS
from appliance.web.app import LARGEST_BODY

BODIES = [(each.method, each.path) for each in ENDPOINTS if each.takes not in (None, bytes)]
FIELDS = sorted({name for each in ENDPOINTS if hasattr(each.takes, "__struct_fields__")
                 for name in each.takes.__struct_fields__})  # fmt: skip


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=6)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["node-1", "demo", "m1"])
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | _objects(inner), max_leaves=8)
QUICK = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


async def _send(world: World, requests: list[tuple[str, str, bytes]]) -> None:
    headers = {**world.headers, "Content-Type": "application/json"}
    for method, path, body in requests:
        async with world.client.request(method, f"/api/v1{path}", data=body, headers=headers) as response:
            assert response.status < 500, f"{method} {path} {body!r}: {await response.text()}"
            if response.status >= 400:
                assert response.content_type == "application/problem+json"
                assert (await response.json())["code"]


def _run(directory: Path, requests: list[tuple[str, str, bytes]]) -> None:
    async def main() -> None:
        async with open_world(directory) as world:
            await world.set_up()
            await world.machine()
            await world.image()
            await _send(world, requests)
            await world.api("GET", "/machines")

    asyncio.run(main())


@QUICK
@given(bodies=st.lists(st.tuples(st.sampled_from(BODIES), VALUES | _objects(VALUES)), min_size=5, max_size=20))
def test_any_json(tmp_path_factory: pytest.TempPathFactory, bodies: list[tuple[tuple[str, str], Any]]) -> None:
    requests = [
        (method, path.replace("{key}", "m1").replace("{action}", "start"), json.dumps(value).encode())
        for (method, path), value in bodies
    ]
    _run(tmp_path_factory.mktemp("world"), requests)


@QUICK
@given(bodies=st.lists(st.tuples(st.sampled_from(BODIES), st.binary(max_size=80)), min_size=5, max_size=20))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, bodies: list[tuple[tuple[str, str], bytes]]) -> None:
    requests = [(method, path.replace("{key}", "m1"), body) for (method, path), body in bodies]
    _run(tmp_path_factory.mktemp("world"), requests)


@QUICK
@given(keys=st.lists(st.binary(min_size=1, max_size=30), min_size=5, max_size=20))
def test_any_key(tmp_path_factory: pytest.TempPathFactory, keys: list[bytes]) -> None:
    requests = []
    for key in keys:
        quoted = quote(key, safe="")
        requests += [("GET", f"/{kind}/{quoted}", b"") for kind in ("machines", "images", "kernels", "deployments")]
        requests.append(("GET", f"/events?machine={quoted}&deployment={quoted}&before={quoted}", b""))
    _run(tmp_path_factory.mktemp("world"), requests)


async def test_deep_nesting(admin: World) -> None:
    await _send(admin, [("POST", "/deployments", b'{"name":' + b"[" * 100_000), ("POST", "/sessions", b"[" * 5000)])


async def test_too_large(admin: World) -> None:
    problem = await admin.api("POST", "/deployments", 413, data=b" " * (LARGEST_BODY + 1))
    assert problem["code"] == "body-too-large"


async def test_a_store_that_fails_is_no_defect_of_ours(admin: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As agents are told: come again later."""

    async def broken(*_: object) -> None:
        raise ApplianceError("store-failed", "disk full", "look at the disk")

    monkeypatch.setattr("appliance.web.api.machines.machine_views", broken)
    assert (await admin.api("GET", "/machines", 503))["hint"] == "look at the disk"


async def test_unknown_address_and_method(admin: World) -> None:
    assert (await admin.api("GET", "/none", 404))["code"] == "path-unknown"
    async with admin.client.put("/api/v1/machines", headers=admin.headers) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET,HEAD"
        assert (await response.json())["code"] == "method-unknown"


async def test_a_defect_is_said_and_logged_with_one_reference(
    admin: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("appliance.web.api.machines.machine_views", broken)
    caplog.set_level(logging.ERROR, "appliance.web")
    problem = await admin.api("GET", "/machines", 500)
    assert problem["code"] == "internal"
    assert "secret" not in json.dumps(problem)
    assert problem["hint"].rpartition(" ")[2] in caplog.text
