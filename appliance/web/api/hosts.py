"""Hosts of VMs for programs. What works with them is imported once somebody asks."""

from aiohttp import web

from appliance.web.api import vm_shapes as shapes
from appliance.web.api.body import answer, body, key
from appliance.web.api.shapes import Items
from appliance.web.keys import SERVICES, USER


async def index(request: web.Request) -> web.Response:
    """Hosts as they are now, the appliance first."""
    from appliance.web.api.vm_answers import host

    return answer(Items([host(each) for each in await request.app[SERVICES].vms().hosts()]))


async def show(request: web.Request) -> web.Response:
    """One host."""
    from appliance.web.api.vm_answers import host

    return answer(host(await request.app[SERVICES].vms().host(key(request))))


async def add(request: web.Request) -> web.Response:
    """Know a host, once it has answered."""
    from appliance.web.api.vm_answers import host

    asked = await body(request, shapes.HostIn)
    added = await request.app[SERVICES].vms().add_host(asked.name, asked.address, request[USER])
    return answer(host(added), 201)


async def remove(request: web.Request) -> web.Response:
    """Forget a host; its VMs run on, and are not looked at any more."""
    await request.app[SERVICES].vms().remove_host(key(request), request[USER])
    return web.Response(status=204)
