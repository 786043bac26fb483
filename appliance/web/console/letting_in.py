"""Letting a machine in to its root on the network that restarted by itself: what it would get, and that it may."""

from aiohttp import web

from appliance.reconcile.consequences import MachineAction
from appliance.web.console.confirm import machine_page
from appliance.web.console.page import see_other, who
from appliance.web.keys import SERVICES


async def ask(request: web.Request) -> web.Response:
    """GET /machines/{key}/admit"""
    return await machine_page(request, MachineAction.ADMIT, "Let {} in", "Let {} in")


async def admit(request: web.Request) -> web.Response:
    """POST /machines/{key}/admit"""
    await request.app[SERVICES].wishes.admit(request.match_info["key"], who(request))
    return see_other(f"/machines/{request.match_info['key']}")
