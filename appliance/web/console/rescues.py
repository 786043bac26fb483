"""Rescue of a machine: what it would do, whose keys may log in, and its end."""

from aiohttp import web

from appliance.errors import ApplianceError, Invalid
from appliance.reconcile.consequences import MachineAction
from appliance.reconcile.views import machine_view
from appliance.web.console.confirm import machine_page
from appliance.web.console.page import render, see_other, who
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES


async def ask(request: web.Request) -> web.Response:
    """GET /machines/{key}/rescue"""
    return await _page(request, "")


async def _page(request: web.Request, keys: str, error: ApplianceError | None = None) -> web.Response:
    services, key = request.app[SERVICES], request.match_info["key"]
    view = await machine_view(services.store, key)
    foreseen = await services.wishes.machine_consequences(key, MachineAction.RESCUE)
    known = view.deployment.ssh_keys if view.deployment else ()
    return render(
        request,
        "machine_rescue.html",
        status=422 if error else 200,
        machine=view.machine,
        foreseen=foreseen,
        keys=keys or "\n".join(known),
        errors={error.field or "ssh_keys": error} if error else {},
    )


async def begin(request: web.Request) -> web.Response:
    """POST /machines/{key}/rescue with ``ssh_keys``, one per line."""
    typed = text(await fields(request), "ssh_keys")
    keys = [line.strip() for line in typed.splitlines() if line.strip()]
    try:
        await request.app[SERVICES].wishes.rescue(request.match_info["key"], keys, who(request))
    except Invalid as error:
        return await _page(request, typed, error)
    return see_other(f"/machines/{request.match_info['key']}")


async def ask_end(request: web.Request) -> web.Response:
    """GET /machines/{key}/end-rescue"""
    return await machine_page(request, MachineAction.END_RESCUE, "End the rescue of {}", "End the rescue")


async def end(request: web.Request) -> web.Response:
    """POST /machines/{key}/end-rescue"""
    await request.app[SERVICES].wishes.end_rescue(request.match_info["key"], who(request))
    return see_other(f"/machines/{request.match_info['key']}")
