"""Agent control at its border: what passes, what is refused and how, and garbage that must never be a 500."""

import asyncio
import json

import pytest
import pytest_asyncio
from http_serving import TalkingFleet, ask, served
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.errors import ApplianceError, Conflict, Denied, Invalid, NotFound
from appliance.netboot.control import Control
from appliance.netboot.fleet import Command, Work

BEARER = {"Authorization": "Bearer " + "a" * 64}
REDEEM = {
    "boot_token": "b" * 64,
    "machine_token": "c" * 64,
    "nonce": "n",
    "mac": "52-54-00-00-00-01",
    "macs": ["52:54:00:00:00:01"],
    "uuid": None,
    "firmware": "uefi",
}
REPORT = {"attempt": "a", "step": "grow", "status": "done"}
ACTIVE = {"boot_id": "b", "hostname": "h", "host_keys": ["ssh-ed25519 A"], "addresses": ["10.0.0.5/24"]}
OBEY = {"attempt": "a", "status": "done", "message": ""}
POSTS = {
    "redeem": REDEEM,
    "inventory": {"disks": []},
    "report": REPORT,
    "resident/active": ACTIVE,
    "resident/report": OBEY,
}


@pytest.fixture
def fleet():
    return TalkingFleet()


@pytest_asyncio.fixture
async def port(fleet):
    async with served(Control(fleet).make_app()) as number:
        yield number


async def call(port, path, body=None, method=None, **headers):
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return await ask(port, f"/control/v1/{path}", method or ("GET" if body is None else "POST"), raw, **headers)


def document(answer):
    assert answer.headers["content-type"].startswith("application/json")
    return json.loads(answer.body)


async def test_a_redemption(fleet, port):
    answer = await call(port, "redeem", REDEEM)
    assert document(answer) == {"machine": "m", "name": "node-1", "poll": "p"}
    asked = fleet.asked[0][1]
    assert (asked.mac, asked.macs, asked.firmware) == ("52:54:00:00:00:01", ("52:54:00:00:00:01",), "uefi")


async def test_everything_else(fleet, port):
    assert document(await call(port, "inventory", {"disks": []}, **BEARER)) == {"state": "idle", "name": "node-1"}
    assert document(await call(port, "report", REPORT, **BEARER)) == {"continue": True}
    assert document(await call(port, "resident/active", ACTIVE, **BEARER)) == {}
    assert document(await call(port, "resident/report", OBEY, **BEARER)) == {}
    fleet.answers["resident_wait"] = Command("reboot", "a1")
    assert document(await call(port, "resident/wait?boot_id=b", **BEARER)) == {"command": "reboot", "attempt": "a1"}
    fleet.answers["work"] = Work("a", "deploy", "grow", {"disk": {"serial": None}}, "deploy web-1")
    assert document(await call(port, "work", **BEARER))["params"] == {"disk": {"serial": None}}


async def test_no_work_is_204_with_the_state_for_the_screen(fleet, port):
    fleet.answers["state"] = "idle in maintenance"
    answer = await call(port, "work", **BEARER)
    assert (answer.status, answer.body, answer.headers["x-machine-state"]) == (204, b"", "idle in maintenance")


@pytest.mark.parametrize("path", ["inventory", "report", "resident/active", "resident/report"])
@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", b"\xff\xfe"])
async def test_without_a_token_nothing_is_asked(fleet, port, path, header):
    answer = await call(port, path, POSTS[path], **({} if header is None else {"Authorization": header}))
    assert (answer.status, document(answer)["code"]) == (401, "session-unknown")
    assert fleet.asked == []


@pytest.mark.parametrize("path", ["work", "resident/wait"])
async def test_without_a_token_nothing_is_told(fleet, port, path):
    assert (await call(port, path)).status == 401
    assert fleet.asked == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Denied("token-used", "m"), 403),
        (Denied("token-expired", "m"), 403),
        (Denied("session-unknown", "m"), 401),
        (Conflict("stale-step", "m", "hint"), 409),
        (Conflict("state-forbids", "m"), 409),
        (NotFound("x", "m"), 404),
        (Invalid("x", "m"), 422),
        (ApplianceError("store-failed", "m"), 503),
    ],
)
async def test_errors_have_their_status_and_code(fleet, port, error, status):
    fleet.answers["report"] = error
    answer = await call(port, "report", REPORT, **BEARER)
    assert answer.status == status
    assert document(answer) == {"code": error.code, "message": "m", "hint": error.hint}


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("redeem", {"boot_token": "short"}),
        ("redeem", {"machine_token": "C" * 64}),
        ("redeem", {"machine_token": "c" * 64 + "\n"}),
        ("redeem", {"mac": "x"}),
        ("redeem", {"macs": ["ff:ff:ff:ff:ff:ff"]}),
        ("redeem", {"macs": ["52:54:00:00:00:01"] * 257}),
        ("redeem", {"firmware": "coreboot"}),
        ("redeem", {"nonce": "n" * 501}),
        ("report", {"status": "maybe"}),
        ("report", {"progress": "half"}),
        ("report", {"result": []}),
        ("report", {"code": 5}),
        ("resident/active", {"host_keys": ["k" * 2001]}),
        ("resident/active", {"addresses": "10.0.0.5"}),
        ("resident/report", {"status": "running"}),
    ],
)
async def test_a_body_of_the_wrong_shape_is_422_with_the_place(fleet, port, path, change):
    answer = await call(port, path, {**POSTS[path], **change}, **BEARER)
    assert answer.status == 422
    assert document(answer)["message"]
    assert fleet.asked == []


GARBAGE = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe\x00",
    b'{"a": "\xff"}',
    b'{"a": "\\ud800"}',
    b"[" * 1_000_000,
    b'{"a":' * 200_000,
    b'{"result": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b"1e999",
    b'{"a": 1e999}',
    b'{"a": ' + b"9" * 5000 + b"}",
    b'{"a": NaN}',
]


@pytest.mark.parametrize("path", list(POSTS))
async def test_garbage_is_never_a_500(port, path):
    for body in GARBAGE:
        assert (await call(port, path, body, **BEARER)).status in (200, 422), body[:40]


async def test_a_body_that_is_too_large_is_refused_and_the_next_is_served(port):
    assert (await call(port, "inventory", b" " * (3 << 20), **BEARER)).status == 413
    assert (await call(port, "inventory", {"disks": []}, **BEARER)).status == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.sampled_from(sorted(POSTS)), st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_json_is_answered_without_a_500(path, data):
    body = POSTS[path]
    changed = {**body, data.draw(st.sampled_from(sorted(body)) | st.text()): data.draw(JSON)}

    async def asked():
        async with served(Control(TalkingFleet()).make_app()) as port:
            return await call(port, path, changed, **BEARER)

    with asyncio.Runner() as runner:
        assert runner.run(asked()).status < 500
