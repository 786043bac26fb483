"""The lab's management controller: a small Redfish service (DMTF DSP0266) with the power buttons of all machines.

It stands where controllers stand, on a network of their own: the loopback of the lab's network, which the lab's
appliance can reach and its machines cannot. Machines of the lab try the network first at every start, so that a start
from the network, once, is what they do anyway: it is taken, shown, and gone with that start.
"""

import hmac
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from appliance.errors import ApplianceError
from appliance.lab.controller_key import ControllerKey
from appliance.lab.machine import Machine

PORT = 8444
USER = "lab"
ROOT = "/redfish/v1"
RESETS = ("On", "ForceOff", "ForceRestart")
_LARGEST = 1 << 16

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Controller:
    """``switch_on`` starts a machine, with tasks that belong to the lab."""

    machines: Mapping[str, Machine]
    switch_on: Callable[[Machine], Awaitable[None]]
    key: ControllerKey
    boots: dict[str, dict[str, str]] = field(default_factory=dict)
    """What the next start of a machine was told to be."""

    def app(self) -> web.Application:
        """The service."""
        app = web.Application(middlewares=[self._knows], client_max_size=_LARGEST)
        app.router.add_get(f"{ROOT}/", self._root)
        app.router.add_get(f"{ROOT}/Systems", self._systems)
        app.router.add_get(ROOT + "/Systems/{name}", self._system)
        app.router.add_patch(ROOT + "/Systems/{name}", self._change)
        app.router.add_post(ROOT + "/Systems/{name}/Actions/ComputerSystem.Reset", self._reset)
        return app

    @web.middleware
    async def _knows(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The root is for everybody (section 13.3.2), all else for who has the password."""
        proof = b"Basic " + b64encode(f"{USER}:{self.key.password}".encode())
        given = request.headers.get("Authorization", "").encode(errors="replace")
        if request.path == f"{ROOT}/" or hmac.compare_digest(given, proof):
            return await handler(request)
        return web.json_response(_said("log in first"), status=401, headers={"WWW-Authenticate": 'Basic realm="lab"'})

    async def _root(self, _: web.Request) -> web.Response:
        return web.json_response({"RedfishVersion": "1.15.0", "Systems": {"@odata.id": f"{ROOT}/Systems"}})

    async def _systems(self, _: web.Request) -> web.Response:
        listed = [{"@odata.id": f"{ROOT}/Systems/{name}"} for name in self.machines]
        return web.json_response({"Members": listed, "Members@odata.count": len(listed)})

    async def _system(self, request: web.Request) -> web.Response:
        return web.json_response(self._document(self._named(request)))

    def _document(self, machine: Machine) -> dict[str, Any]:
        path, plan = f"{ROOT}/Systems/{machine.plan.name}", machine.plan
        mode = "Legacy" if plan.firmware == "bios" else "UEFI"
        boot = {"BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None"}
        reset = {"target": f"{path}/Actions/ComputerSystem.Reset", "ResetType@Redfish.AllowableValues": RESETS}
        return {
            "@odata.id": path,
            "Id": plan.name,
            "Name": plan.name,
            "UUID": plan.uuid,
            "SerialNumber": plan.serial,
            "PowerState": "On" if machine.running else "Off",
            "Boot": {
                **boot,
                "BootSourceOverrideMode": mode,
                "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Pxe"],
                **self.boots.get(plan.name, {}),
            },
            "Actions": {"#ComputerSystem.Reset": reset},
        }

    async def _change(self, request: web.Request) -> web.Response:
        machine, given = self._named(request), await _body(request)
        boot = given.get("Boot")
        if not isinstance(boot, dict) or boot.get("BootSourceOverrideTarget") not in ("None", "Pxe"):
            raise _refusal("only the boot source can be changed, to None or Pxe")
        self.boots[machine.plan.name] = {name: str(value) for name, value in boot.items()}
        return web.json_response(self._document(machine))

    async def _reset(self, request: web.Request) -> web.Response:
        machine, kind = self._named(request), (await _body(request)).get("ResetType")
        try:
            await self._obey(machine, kind)
        except ApplianceError as error:
            raise _refusal(error.message) from error
        return web.Response(status=204)

    async def _obey(self, machine: Machine, kind: object) -> None:
        match kind:
            case "On":
                self.boots.pop(machine.plan.name, None)
                await self.switch_on(machine)
            case "ForceOff":
                await machine.power_off()
            case "ForceRestart":
                self.boots.pop(machine.plan.name, None)
                await machine.reset()
            case _:
                raise _refusal(f"a reset is one of {', '.join(RESETS)}")

    def _named(self, request: web.Request) -> Machine:
        found = self.machines.get(request.match_info["name"])
        if found is None:
            raise _refusal("there is no such system", web.HTTPNotFound)
        return found

    async def serve(self) -> web.AppRunner:
        """Listen; the caller cleans up what is returned."""
        runner = web.AppRunner(self.app(), handle_signals=False, access_log=None)
        await runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.key.file)
        await web.TCPSite(runner, "127.0.0.1", PORT, ssl_context=context).start()
        return runner


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        given = await request.json()
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise _refusal("send one JSON object")
    return given


def _said(message: str) -> dict[str, Any]:
    """An error as section 8.6 has it."""
    return {"error": {"code": "Base.1.0.GeneralError", "message": message}}


def _refusal(message: str, kind: type[web.HTTPError] = web.HTTPBadRequest) -> web.HTTPError:
    return kind(text=web.json_response(_said(message)).text, content_type="application/json")
