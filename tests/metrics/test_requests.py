"""Requests by class of status, whatever way they end."""

from aiohttp import ClientError, web
from aiohttp.test_utils import TestClient, TestServer

from appliance.metrics.requests import Requests


async def test_every_way_to_end() -> None:
    requests = Requests()
    app = web.Application(middlewares=[requests.counting("console", timed=True)])

    async def answer(request: web.Request) -> web.StreamResponse:
        match request.match_info["how"]:
            case "raise":
                raise web.HTTPFound("/")
            case "defect":
                raise RuntimeError("a defect")
            case "leave":
                raise ConnectionResetError
            case "live":
                socket = web.WebSocketResponse()
                await socket.prepare(request)
                return socket
        return web.Response(status=int(request.match_info["how"]))

    app.router.add_get("/{how}", answer)
    async with TestClient(TestServer(app)) as client:
        for how in ("200", "204", "404", "raise", "500", "defect", "leave"):
            try:
                async with client.get(f"/{how}", allow_redirects=False):
                    continue
            except (TimeoutError, ClientError):
                assert how == "leave"
        async with client.ws_connect("/live"):
            pass
        assert (await client.get("/a/b")).status == 404
    assert requests.answered == {
        ("console", "2xx"): 2, ("console", "3xx"): 1, ("console", "4xx"): 2, ("console", "5xx"): 2,
        ("console", "aborted"): 1, ("console", "1xx"): 1,
    }  # fmt: skip
    ((last, count),) = [list(each.buckets())[-1] for each in requests.seconds.values()]
    assert (last, count) == ("+Inf", 8), "a WebSocket lasts as long as its reader stays"


async def test_sites_that_hold_their_requests_are_not_timed() -> None:
    requests = Requests()
    app = web.Application(middlewares=[requests.counting("boot", timed=False)])
    async with TestClient(TestServer(app)) as client:
        await client.get("/")
    assert requests.answered == {("boot", "4xx"): 1}
    assert requests.seconds == {}
