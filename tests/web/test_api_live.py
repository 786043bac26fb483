"""Live updates: in order, bounded, and gone when the log-in is."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from web_world import World

from appliance.events import Progress
from appliance.machine import MachineId
from appliance.web import live
from appliance.web.auth import COOKIE


async def _next(socket: "aiohttp.ClientWebSocketResponse[Any]") -> Any:
    return json.loads(await socket.receive_str(timeout=20))


async def test_events_and_progress_in_order(admin: World) -> None:
    await admin.machine()
    async with admin.client.ws_connect("/api/v1/live", headers=admin.headers) as socket:
        assert await _next(socket) == {"seq": 1, "kind": "resync"}
        await admin.api("PATCH", "/machines/m1", json={"notes": "rack 3"})
        said = await _next(socket)
        assert (said["seq"], said["kind"]) == (2, "event")
        assert said["event"]["kind"] == "machine.changed"
        assert said["event"]["machine"] == "m1"
        admin.services.bus.publish(Progress(MachineId("m1"), "write-image", 0.43, "43%"))
        assert await _next(socket) == {
            "seq": 3, "kind": "progress", "machine": "m1", "step": "write-image", "progress": 0.43, "message": "43%",
        }  # fmt: skip


async def test_a_slow_reader_slows_nobody_and_is_told(admin: World) -> None:
    async with admin.client.ws_connect("/live", headers=admin.headers) as slow:
        assert (await _next(slow))["seq"] == 1
        transport = slow._conn.transport  # type: ignore[union-attr]
        transport.pause_reading()
        await _published_to_a_quick_reader(admin, 5000)
        transport.resume_reading()
        count = 1
        while (said := await _next(slow))["kind"] != "resync":
            count += 1
        assert count < 5000
        assert said["seq"] == count + 1
        admin.services.bus.publish(Progress(MachineId("m1"), "s", 0.0, "news"))
        assert (await _next(slow))["message"] == "news"


async def _published_to_a_quick_reader(admin: World, count: int) -> None:
    async with admin.client.ws_connect("/live", headers=admin.headers) as quick:
        assert (await _next(quick))["kind"] == "resync"
        message = "x" * 4000
        for number in range(5000):
            admin.services.bus.publish(Progress(MachineId("m1"), "s", 0.0, f"{number} {message}"))
            said = await _next(quick)  # would hang here if the slow one held anybody up
            assert said["message"].startswith(f"{number} ")


async def test_a_reader_that_never_reads_is_dropped(admin: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PATIENCE", 0.2)
    async with admin.client.ws_connect("/live", headers=admin.headers) as socket:
        assert socket._conn is not None
        socket._conn.transport.pause_reading()  # type: ignore[union-attr]
        async with asyncio.timeout(30):
            while admin.services.bus._subscriptions:
                admin.services.bus.publish(Progress(MachineId("m1"), "s", 0.0, "x" * 200_000))
                await asyncio.sleep(0.01)
        socket._conn.transport.resume_reading()  # type: ignore[union-attr]


async def test_leaving_leaves_nothing_behind(admin: World) -> None:
    for _ in range(3):
        async with admin.client.ws_connect("/live", headers=admin.headers) as socket:
            await _next(socket)
            assert len(admin.services.bus._subscriptions) == 1
        async with asyncio.timeout(10):
            while admin.services.bus._subscriptions:
                await asyncio.sleep(0.01)


async def test_the_end_of_the_log_in_ends_it(admin: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "CHECK_EVERY", 0.05)
    async with admin.client.ws_connect("/live", headers=admin.headers) as socket:
        await _next(socket)
        await admin.api("DELETE", "/sessions/current", 204)
        ended = await socket.receive(timeout=20)
        assert (ended.type, ended.data) == (aiohttp.WSMsgType.CLOSE, 1008)


async def test_the_stop_of_the_appliance_ends_it(admin: World) -> None:
    async with admin.client.ws_connect("/live", headers=admin.headers) as socket:
        await _next(socket)
        closing = asyncio.gather(admin.client.server.app.shutdown(), socket.receive(timeout=20))  # type: ignore[attr-defined]
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
        assert (await _next(socket))["kind"] == "resync"


async def test_clients_have_nothing_to_say(admin: World) -> None:
    async with admin.client.ws_connect("/live", headers=admin.headers) as socket:
        await _next(socket)
        await socket.send_str("ignored")
        await socket.send_str("x" * 100_000)
        ended = await socket.receive(timeout=20)
        assert (ended.type, ended.data) == (aiohttp.WSMsgType.CLOSE, 1009)
    await admin.api("GET", "/machines")
