"""Live updates: in order, bounded, and gone when the log-in is."""

import asyncio
import json
import time
from typing import Any

import aiohttp
import pytest
from web_world import World

from appliance.accounts import Role
from appliance.events import Event, Progress
from appliance.machine import MachineId
from appliance.web import live
from appliance.web.auth import COOKIE
from appliance.web.live import FEED

Socket = aiohttp.ClientWebSocketResponse


async def _next(socket: "Socket[Any]") -> Any:
    return json.loads(await socket.receive_str(timeout=20))


async def _greeted(socket: "Socket[Any]") -> Any:
    """The hello of a connection that goes on from nothing."""
    said = await _next(socket)
    assert said["kind"] == "hello"
    assert await _next(socket) == {"seq": said["seq"], "kind": "resync"}
    return said


def _transport(socket: "Socket[Any]") -> Any:
    """Whoever reads nothing pauses it."""
    assert socket._conn is not None
    return socket._conn.transport


def _progress(text: str) -> Progress:
    return Progress(MachineId("m1"), "s", 0.0, text)


async def test_events_and_progress_in_order(admin: World) -> None:
    await admin.machine()
    async with admin.client.ws_connect("/api/v1/live", headers=admin.headers) as socket:
        start = (await _greeted(socket))["seq"]
        await admin.api("PATCH", "/machines/m1", json={"notes": "rack 3"})
        said = await _next(socket)
        assert (said["seq"], said["kind"]) == (start + 1, "event")
        assert said["event"]["kind"] == "machine.changed"
        assert said["event"]["machine"] == "m1"
        admin.services.bus.publish(Progress(MachineId("m1"), "write-image", 0.43, "43%"))
        assert await _next(socket) == {
            "seq": start + 2, "kind": "progress", "machine": "m1", "step": "write-image", "progress": 0.43,
            "message": "43%",
        }  # fmt: skip


async def test_who_comes_back_is_sent_what_it_missed_and_nothing_else(admin: World) -> None:
    async with admin.client.ws_connect("/live", headers=admin.headers) as socket:
        hello = await _greeted(socket)
        admin.services.bus.publish(_progress("had"))
        last = (await _next(socket))["seq"]
    for number in range(100):
        admin.services.bus.publish(_progress(f"missed {number}"))
    path = f"/live?run={hello['run']}&since={last}"
    async with admin.client.ws_connect(path, headers=admin.headers) as socket:
        assert await _next(socket) == {"seq": last, "kind": "hello", "run": hello["run"]}
        for number in range(100):
            said = await _next(socket)
            assert (said["seq"], said["message"]) == (last + 1 + number, f"missed {number}")
        admin.services.bus.publish(_progress("new"))
        assert (await _next(socket))["message"] == "new"


@pytest.mark.parametrize(
    "query", ["run=old&since=0", "run={run}", "run={run}&since=99", "run={run}&since=-1", "run={run}&since=%C2%B2"]
)
async def test_who_comes_back_with_what_means_nothing_loads_anew(admin: World, query: str) -> None:
    path = "/live?" + query.format(run=admin.client.app[FEED].run)
    async with admin.client.ws_connect(path, headers=admin.headers) as socket:
        await _greeted(socket)


async def test_what_is_for_administrators_goes_to_them_only(admin: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for role, expected in ((Role.VIEWER, ["1", "3"]), (Role.OPERATOR, ["1", "3"]), (Role.ADMIN, ["1", "2", "3"])):
        monkeypatch.setattr(live, "_role", lambda _, role=role: role)
        async with admin.client.ws_connect("/live", headers=admin.headers) as socket:
            start = (await _greeted(socket))["seq"]
            for kind, text in (("machine.new", "1"), ("user.login", "2"), ("machine.new", "3")):
                admin.services.bus.publish(Event(kind, 0.0, text))
            said = [await _next(socket) for _ in expected]
            assert [each["event"]["text"] for each in said] == expected
            assert [each["seq"] - start for each in said] == [int(text) for text in expected]


async def test_what_cannot_be_encoded_is_loaded_anew(admin: World) -> None:
    async with admin.client.ws_connect("/live", headers=admin.headers) as socket:
        await _greeted(socket)
        admin.services.bus.publish(Event("machine.new", 0.0, "bad", detail={"what": object()}))
        assert (await _next(socket))["kind"] == "resync"


async def test_a_slow_reader_slows_nobody_and_is_told(admin: World) -> None:
    async with admin.client.ws_connect("/live", headers=admin.headers) as slow:
        await _greeted(slow)
        transport = _transport(slow)
        transport.pause_reading()
        await _published_to_a_quick_reader(admin, 8000)
        transport.resume_reading()
        count, last = 0, 0
        while (said := await _next(slow))["kind"] != "resync":
            count, last = count + 1, said["seq"]
        assert count < 8000
        assert said["seq"] > last
        admin.services.bus.publish(_progress("news"))
        assert (await _next(slow))["message"] == "news"


async def _published_to_a_quick_reader(admin: World, count: int) -> None:
    async with admin.client.ws_connect("/live", headers=admin.headers) as quick:
        await _greeted(quick)
        message = "x" * 4000
        for number in range(count):
            admin.services.bus.publish(_progress(f"{number} {message}"))
            said = await _next(quick)  # would hang here if the slow one held anybody up
            assert said["message"].startswith(f"{number} ")


async def test_fifty_readers_get_everything_in_order_beside_one_that_does_not_read(admin: World) -> None:
    changes = [Event("machine.state", float(n), f"node-{n} is idle", machine=MachineId(f"m{n}")) for n in range(1000)]
    sockets: list[Socket[Any]] = [
        await admin.client.ws_connect("/live", headers=admin.headers, max_msg_size=0) for _ in range(51)
    ]
    *readers, silent = sockets
    for each in sockets:
        await _greeted(each)
    _transport(silent).pause_reading()
    longest = 0.0

    async def read(socket: "Socket[Any]") -> list[str]:
        nonlocal longest
        texts = []
        for _ in changes:
            said = await _next(socket)
            longest = max(longest, time.monotonic() - published[said["event"]["text"]])
            texts.append(said["event"]["text"])
        return texts

    published: dict[str, float] = {}
    began, cpu = time.monotonic(), time.process_time()
    async with asyncio.TaskGroup() as tasks:
        reading = [tasks.create_task(read(each)) for each in readers]
        for change in changes:
            published[change.text] = time.monotonic()
            admin.services.bus.publish(change)
            await asyncio.sleep(0)
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    print(f"50 readers, 1000 events: {seconds:.2f} s, {cpu:.2f} s of processor, at most {longest:.3f} s late")
    assert all(task.result() == [change.text for change in changes] for task in reading)
    assert longest < 5
    _transport(silent).resume_reading()
    assert [(await _next(silent))["event"]["text"] for _ in changes] == [change.text for change in changes]
    for each in sockets:
        await each.close()


async def test_a_reader_that_never_reads_is_dropped(admin: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PATIENCE", 0.2)
    feed = admin.client.app[FEED]
    async with admin.client.ws_connect("/live", headers=admin.headers) as socket:
        await _greeted(socket)
        _transport(socket).pause_reading()
        async with asyncio.timeout(30):
            while feed.readers:
                admin.services.bus.publish(_progress("x" * 200_000))
                await asyncio.sleep(0.01)
        _transport(socket).resume_reading()


async def test_leaving_leaves_nothing_behind(admin: World) -> None:
    feed = admin.client.app[FEED]
    for _ in range(3):
        async with admin.client.ws_connect("/live", headers=admin.headers) as socket:
            await _greeted(socket)
            assert feed.readers == 1
        async with asyncio.timeout(10):
            while feed.readers:
                await asyncio.sleep(0.01)


async def test_the_end_of_the_log_in_ends_it(admin: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "CHECK_EVERY", 0.05)
    async with admin.client.ws_connect("/live", headers=admin.headers) as socket:
        await _greeted(socket)
        await admin.api("DELETE", "/sessions/current", 204)
        ended = await socket.receive(timeout=20)
        assert (ended.type, ended.data) == (aiohttp.WSMsgType.CLOSE, 1008)


async def test_the_stop_of_the_appliance_ends_it(admin: World) -> None:
    async with admin.client.ws_connect("/live", headers=admin.headers) as socket:
        await _greeted(socket)
        closing = asyncio.gather(admin.client.server.app.shutdown(), socket.receive(timeout=20))
        _, ended = await closing
        assert (ended.type, ended.data) == (aiohttp.WSMsgType.CLOSE, 1001)


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null"])
async def test_another_sites_page_cannot_listen(world: World, origin: str | None) -> None:
    token = await world.set_up()
    headers = {"Cookie": f"{COOKIE}={token}"} | ({"Origin": origin} if origin else {})
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await world.client.ws_connect("/live", headers=headers)
    assert refused.value.status == 403
    own = str(world.client.make_url("")).rstrip("/")
    async with world.client.ws_connect("/live", headers={**headers, "Origin": own}) as socket:
        await _greeted(socket)


async def test_clients_have_nothing_to_say(admin: World) -> None:
    async with admin.client.ws_connect("/live", headers=admin.headers) as socket:
        await _greeted(socket)
        await socket.send_str("ignored")
        await socket.send_str("x" * 100_000)
        ended = await socket.receive(timeout=20)
        assert (ended.type, ended.data) == (aiohttp.WSMsgType.CLOSE, 1009)
    await admin.api("GET", "/machines")


async def test_nobody_opens_connections_without_end(admin: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_PER_USER", 2)
    async with admin.client.ws_connect("/live", headers=admin.headers) as first:
        async with admin.client.ws_connect("/live", headers=admin.headers) as second:
            for socket in (first, second):
                assert (await socket.receive_json(timeout=5))["kind"] == "hello"
            assert (await admin.api("GET", "/live", 429))["code"] == "live-too-many"
            await second.close()
        async with admin.client.ws_connect("/live", headers=admin.headers) as another:
            assert (await another.receive_json(timeout=5))["kind"] == "hello"
