"""A Redfish controller whose every oddity can be chosen: what vendors ship, and what nobody should."""

import asyncio
import base64
import ssl
from contextlib import asynccontextmanager

import controllers
from aiohttp import web

from appliance.power_switch import PowerKind, PowerSettings

SYSTEM = "/redfish/v1/Systems/1"
RESET = f"{SYSTEM}/Actions/ComputerSystem.Reset"


class OddController:
    """Answers from ``documents`` by path, and with ``replies`` by method and path, each of those once."""

    def __init__(self):
        self.basic, self.logged_in, self.logged_out = True, 0, 0
        self.state = "Off"
        self.allowed = ["On", "ForceOff", "ForceRestart"]
        self.boot = {"BootSourceOverrideMode": "UEFI"}
        self.more = {}
        self.documents = {
            "/redfish/v1/": {"Systems": {"@odata.id": "/redfish/v1/Systems"}, "Links": {}},
            "/redfish/v1/Systems": {"Members": [{"@odata.id": SYSTEM}]},
        }
        self.replies = {}
        self.headers = {}
        self.asked = []
        """Method, path, body and the headers of each request."""

    def system(self):
        target = {"target": RESET}
        if self.allowed is not None:
            target["ResetType@Redfish.AllowableValues"] = self.allowed
        return {
            "Id": "1",
            "Name": "web1",
            "PowerState": self.state,
            "Boot": self.boot,
            "Actions": {"#ComputerSystem.Reset": target},
            **self.more,
        }

    def reply(self, method, path, *answers):
        """What is answered there, one after the other: functions of the body, or (status, document, headers)."""
        self.replies.setdefault((method, path), []).extend(answers)

    def orders(self, method="POST"):
        return [body for said, path, body, _ in self.asked if said == method and "Session" not in path]

    def knows(self, request):
        if request.headers.get("X-Auth-Token") == "t0ken":
            return True
        proof = base64.b64encode(f"{controllers.USER}:{controllers.PASSWORD}".encode()).decode()
        return self.basic and request.headers.get("Authorization") == f"Basic {proof}"

    async def answer(self, request):
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.path, body, request.headers))
        waiting = self.replies.get((request.method, request.path))
        if waiting:
            return await self.odd(request, waiting.pop(0))
        if request.path == "/redfish/v1/SessionService/Sessions":
            return self.session(body)
        if request.path.startswith("/redfish/v1/SessionService/Sessions/"):
            self.logged_out += 1
            return web.Response(status=204)
        if not self.knows(request) and request.path != "/redfish/v1/":
            challenge = {"WWW-Authenticate": 'Basic realm="bmc"'} if self.basic else {}
            return web.json_response({}, status=401, headers=challenge)
        return self.plain(request, body)

    async def odd(self, request, reply):
        if isinstance(reply, Exception):
            request.transport.abort()
            raise reply
        if callable(reply):
            return await reply(request)
        status, document, headers = reply
        if isinstance(document, bytes):
            return web.Response(status=status, body=document, headers=headers)
        return web.json_response(document, status=status, headers=headers)

    def session(self, body):
        if (body["UserName"], body["Password"]) != (controllers.USER, controllers.PASSWORD):
            return web.json_response({}, status=401)
        self.logged_in += 1
        where = "https://other.example/redfish/v1/SessionService/Sessions/7"
        return web.json_response({}, status=201, headers={"X-Auth-Token": "t0ken", "Location": where})

    def plain(self, request, body):
        if (request.method, request.path) == ("POST", RESET):
            self.state = "Off" if body["ResetType"] == "ForceOff" else "On"
            return web.Response(status=204)
        if request.path == SYSTEM:
            return web.json_response(self.system(), headers=self.headers)
        if request.path in self.documents:
            return web.json_response(self.documents[request.path])
        return web.json_response({}, status=404)


async def for_ever(request):
    """Headers, and then nothing more until the other side goes."""
    response = web.StreamResponse()
    await response.prepare(request)
    while request.transport and not request.transport.is_closing():
        await response.write(b" ")
        await asyncio.sleep(0.05)
    return response


async def without_end(request):
    """More than anybody wants to keep."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(80):
        if request.transport is None or request.transport.is_closing():
            break
        await response.write(b" " * (1 << 17))
    return response


@asynccontextmanager
async def odd_controller(directory):
    """A controller, and settings that reach it."""
    made = OddController()
    fingerprint = controllers.certificate(directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield made, PowerSettings(PowerKind.REDFISH, "127.0.0.1", port, controllers.USER, "", fingerprint)
    finally:
        await runner.cleanup()
