"""The pages of a VM's consoles: its screen, and its serial line."""

from aiohttp import web

from appliance.hypervisor.consoles import ConsoleKind
from appliance.vm_host import check_ours
from appliance.web.console.page import render
from appliance.web.keys import SERVICES
from appliance.web.middleware import HEADERS

POLICY = "Content-Security-Policy"
PICTURES = f"{HEADERS[POLICY]}; img-src 'self' data:"
"""Of a screen's page: parts of it and the VM's pointer can come as pictures, which exist nowhere else."""


async def screen(request: web.Request) -> web.Response:
    """GET /vms/{key}/console"""
    shown = await _page(request, ConsoleKind.SCREEN)
    shown.headers[POLICY] = PICTURES
    return shown


async def serial(request: web.Request) -> web.Response:
    """GET /vms/{key}/console/serial"""
    return await _page(request, ConsoleKind.SERIAL)


async def _page(request: web.Request, kind: ConsoleKind) -> web.Response:
    """Whether the VM runs is not asked here: scripts say it, and wait until it does."""
    seen = (await request.app[SERVICES].vms().find(request.match_info["key"])).seen
    check_ours(seen)
    return render(request, "vm_console.html", seen=seen, kind=str(kind))
