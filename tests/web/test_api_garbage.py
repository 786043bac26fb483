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
from appliance.web.console.routes import ROUTES

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

    monkeypatch.setattr("appliance.web.api.machines.machines_page", broken)
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

    monkeypatch.setattr("appliance.web.api.machines.machines_page", broken)
    caplog.set_level(logging.ERROR, "appliance.web")
    problem = await admin.api("GET", "/machines", 500)
    assert problem["code"] == "internal"
    assert "secret" not in json.dumps(problem)
    assert problem["hint"].rpartition(" ")[2] in caplog.text


# -- the console's forms

FORMS = [each.path.replace("{key}", "m1").replace("{action}", "start") for each in ROUTES if each.method == "POST"]
MULTIPART = "multipart/form-data; boundary=b"


def _part(*headers: bytes, content: bytes = b"x", file: bytes = b"") -> bytes:
    disposition = b'Content-Disposition: form-data; name="name"'
    if file:
        disposition = b'Content-Disposition: form-data; name="file"; filename="%s"' % file
    return b"--b\r\n" + b"\r\n".join((disposition, *headers)) + b"\r\n\r\n" + content + b"\r\n--b--\r\n"


BENT: tuple[tuple[str, bytes], ...] = (
    ("multipart/form-data", b"x"),
    ("multipart/form-data; boundary=", b"x"),
    ('multipart/form-data; boundary="', b"x"),
    (f"multipart/form-data; boundary={'b' * 100}", b"x"),
    (MULTIPART, b""),
    (MULTIPART, b"no part at all"),
    (MULTIPART, b"--b\r\nno colon\r\n\r\nx\r\n--b--\r\n"),
    (MULTIPART, b"--b\r\n: no name\r\n\r\nx\r\n--b--\r\n"),
    (MULTIPART, b"--b\r\n\r\nno name\r\n--b--\r\n"),
    (MULTIPART, b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--\r\n"),
    (MULTIPART, b"--b\r\nContent-Type: multipart/mixed\r\n\r\nx\r\n--b--\r\n"),
    (MULTIPART, _part(b"A" * 20_000 + b": x")),
    (MULTIPART, _part(b"X: \xff\x00")),
    (MULTIPART, _part(content=b"cut off").removesuffix(b"\r\n--b--\r\n")),
    (MULTIPART, _part(content=b"\xff\xfe")),
    (MULTIPART, _part(b"Content-Type: text/plain; charset=none")),
    (MULTIPART, _part(b"Content-Transfer-Encoding: none")),
    (MULTIPART, _part(b"Content-Transfer-Encoding: base64", content=b"=a")),
    (MULTIPART, _part(b"Content-Encoding: gzip")),
    (MULTIPART, _part(b"Content-Encoding: gzip", file=b"f")),
    (MULTIPART, _part(b"Content-Transfer-Encoding: none", file=b"f")),
    ("application/x-www-form-urlencoded", b"name=\xff\xfe&password=%ff"),
    ("application/x-www-form-urlencoded; charset=none", b"name=x"),
    ("application/x-www-form-urlencoded; charset=base64", b"name=x"),
    ("application/x-www-form-urlencoded; charset=utf-16", b"n"),
    ("text/plain", b"name=x"),
    ("", b"name=x"),
)
"""Content types with bodies that are not what they claim to be."""


async def _post_forms(world: World, paths: list[str], content_type: str, body: bytes) -> None:
    headers = {**world.headers, "Accept": "text/html", "Content-Type": content_type}
    for path in paths:
        async with world.client.post(path, headers=headers, data=body, allow_redirects=False) as response:
            if (response.status, response.content_type) == (200, "application/octet-stream"):
                continue  # a file to keep, for which nothing has to be filled in
            text = await response.text()
            assert response.status < 500, f"POST {path} {content_type} {body[:200]!r}: {text}"
            assert response.status == 303 or "<h1>" in text, f"POST {path}: no page for people"


@pytest.mark.parametrize(("content_type", "body"), BENT, ids=[str(number) for number in range(len(BENT))])
async def test_a_bent_form_of_somebody_unknown(world: World, content_type: str, body: bytes) -> None:
    await _post_forms(world, ["/login", "/setup"], content_type, body)


@pytest.mark.parametrize(("content_type", "body"), BENT, ids=[str(number) for number in range(len(BENT))])
async def test_a_bent_form(admin: World, content_type: str, body: bytes) -> None:
    await admin.machine()
    await admin.image("m1")
    await admin.api("POST", "/deployments", 201, json={"name": "m1", "image": "m1"})
    await _post_forms(admin, FORMS, content_type, body)


async def test_a_form_cut_off_says_so(world: World) -> None:
    headers = {"Accept": "text/html", "Content-Type": "multipart/form-data"}
    async with world.client.post("/login", headers=headers, data=b"x") as response:
        assert response.status == 422
        assert "The form cannot be read" in await response.text()
