"""HTTPS agent control: what agents and residents say, typed at this border (ARCHITECTURE.md, Wire formats)."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from aiohttp import web

from appliance.decoding import decoded
from appliance.errors import ApplianceError, Denied, Invalid
from appliance.machine import meaningful_uuid, parse_mac
from appliance.netboot.answers import bearer, status_of
from appliance.netboot.fleet import Activity, Fleet, Neighbour, Redemption, Report

LARGEST_BODY = 2 << 20
"""Bytes; an inventory of a big server is some 200 kB."""

Token = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Short = Annotated[str, msgspec.Meta(max_length=500)]
T = TypeVar("T")


class RedeemBody(msgspec.Struct):
    """``POST /control/v1/redeem``"""

    boot_token: Token
    machine_token: Token
    nonce: Short
    mac: Short
    macs: Annotated[list[Short], msgspec.Meta(max_length=256)]
    uuid: Short | None = None
    firmware: Literal["bios", "uefi"] = "bios"


class LayerBody(msgspec.Struct):
    """``POST /control/v1/root-layer``"""

    attempt: Short
    content: str


class ReportBody(msgspec.Struct):
    """``POST /control/v1/report``"""

    attempt: Short
    step: Short
    status: Literal["running", "done", "failed"]
    progress: float = 0.0
    message: str = ""
    code: Short = ""
    result: dict[str, Any] | None = None


class ActiveBody(msgspec.Struct):
    """``POST /control/v1/resident/active``"""

    boot_id: Short
    hostname: Short = ""
    host_keys: Annotated[list[Annotated[str, msgspec.Meta(max_length=2000)]], msgspec.Meta(max_length=16)] = []
    addresses: Annotated[list[Short], msgspec.Meta(max_length=256)] = []


class ObeyBody(msgspec.Struct):
    """``POST /control/v1/resident/report``"""

    attempt: Short
    status: Literal["done", "failed"]
    message: str = ""


LARGEST_MESSAGES = 260 << 10
"""Characters; senders shorten them to 256 kB."""


class MessagesBody(msgspec.Struct):
    """``POST /control/v1/boot-messages``"""

    text: Annotated[str, msgspec.Meta(max_length=LARGEST_MESSAGES)]


class NeighbourBody(msgspec.Struct):
    """One of ``POST /control/v1/neighbours``"""

    nic: Short
    chassis: Short
    port: Short
    port_description: Short = ""
    system: Short = ""
    description: Short = ""
    address: Short = ""
    vlan: int | None = None


class NeighboursBody(msgspec.Struct):
    """``POST /control/v1/neighbours``"""

    neighbours: Annotated[list[NeighbourBody], msgspec.Meta(max_length=256)]


class SystemMessagesBody(msgspec.Struct):
    """``POST /control/v1/resident/boot-messages``"""

    boot_id: Short
    text: Annotated[str, msgspec.Meta(max_length=LARGEST_MESSAGES)]


class Control:
    """The handlers; the daemon mounts ``make_app`` behind TLS."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def make_app(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(middlewares=[_json_errors], client_max_size=LARGEST_BODY)
        app.add_routes(
            [
                web.post("/control/v1/redeem", self._redeem),
                web.post("/control/v1/root", self._root),
                web.post("/control/v1/root-layer", self._layer),
                web.post("/control/v1/inventory", self._inventory),
                web.post("/control/v1/boot-messages", self._messages),
                web.post("/control/v1/neighbours", self._neighbours),
                web.get("/control/v1/work", self._work),
                web.post("/control/v1/report", self._report),
                web.post("/control/v1/resident/active", self._active),
                web.post("/control/v1/resident/boot-messages", self._system_messages),
                web.get("/control/v1/resident/wait", self._wait),
                web.post("/control/v1/resident/report", self._obey),
            ]
        )
        return app

    async def _redeem(self, request: web.Request) -> web.Response:
        welcome = await self._fleet.redeem(await _redemption(request), request.remote or "")
        return _json(welcome)

    async def _root(self, request: web.Request) -> web.Response:
        told = await self._fleet.root(await _redemption(request), request.remote or "", _asked_at(request))
        return _json(told)

    async def _layer(self, request: web.Request) -> web.Response:
        body = await _body(request, LayerBody)
        await self._fleet.take_layer(_bearer(request), body.attempt, body.content)
        return _json({})

    async def _inventory(self, request: web.Request) -> web.Response:
        inventory = await _body(request, dict[str, Any])
        state, name = await self._fleet.take_inventory(_bearer(request), inventory)
        return _json({"state": state, "name": name})

    async def _messages(self, request: web.Request) -> web.Response:
        body = await _body(request, MessagesBody)
        await self._fleet.boot_messages(_bearer(request), body.text)
        return _json({})

    async def _neighbours(self, request: web.Request) -> web.Response:
        body = await _body(request, NeighboursBody)
        heard = [Neighbour(**msgspec.structs.asdict(each)) for each in body.neighbours]
        await self._fleet.take_neighbours(_bearer(request), heard)
        return _json({})

    async def _work(self, request: web.Request) -> web.Response:
        token = _bearer(request)
        work = await self._fleet.work(token, _asked_at(request))
        if work is None:
            return web.Response(status=204, headers={"X-Machine-State": await self._fleet.state(token)})
        return _json(work)

    async def _report(self, request: web.Request) -> web.Response:
        body = await _body(request, ReportBody)
        report = Report(body.attempt, body.step, body.status, body.progress, body.message, body.code, body.result or {})
        return _json({"continue": await self._fleet.report(_bearer(request), report)})

    async def _active(self, request: web.Request) -> web.Response:
        body = await _body(request, ActiveBody)
        activity = Activity(body.boot_id, body.hostname, tuple(body.host_keys), tuple(body.addresses))
        await self._fleet.resident_active(_bearer(request), activity)
        return _json({})

    async def _system_messages(self, request: web.Request) -> web.Response:
        body = await _body(request, SystemMessagesBody)
        await self._fleet.resident_boot_messages(_bearer(request), body.boot_id, body.text)
        return _json({})

    async def _wait(self, request: web.Request) -> web.Response:
        return _json(await self._fleet.resident_wait(_bearer(request), request.query.get("boot_id", "")[:100]))

    async def _obey(self, request: web.Request) -> web.Response:
        body = await _body(request, ObeyBody)
        await self._fleet.resident_report(_bearer(request), body.attempt, body.status, body.message[:500])
        return _json({})


async def _redemption(request: web.Request) -> Redemption:
    body = await _body(request, RedeemBody)
    return Redemption(
        body.boot_token,
        body.machine_token,
        body.nonce,
        parse_mac(body.mac),
        tuple(parse_mac(mac) for mac in body.macs),
        meaningful_uuid(body.uuid),
        body.firmware,
    )


def _asked_at(request: web.Request) -> str:
    """Our address, as whoever asks sees it."""
    return str(request.transport.get_extra_info("sockname")[0]) if request.transport else ""


def _json(value: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


async def _body(request: web.Request, kind: type[T]) -> T:
    try:
        return decoded(await request.read(), kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("body-invalid", f"{request.path}: {error}") from error


def _bearer(request: web.Request) -> str:
    token = bearer(request.headers.get("Authorization", ""))
    if not token:
        raise Denied("session-unknown", "a token is needed here")
    return token


@web.middleware
async def _json_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApplianceError as error:
        document = {"code": error.code, "message": error.message, "hint": error.hint}
        body = msgspec.json.encode(document)
        return web.Response(status=status_of(error), body=body, content_type="application/json")
