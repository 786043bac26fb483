"""Machines for programs."""

import msgspec
from aiohttp import web

from appliance.reconcile.views import machine_view, machine_views, timeline
from appliance.reconcile.wishes import MachineChange
from appliance.web.api import outward, shapes
from appliance.web.api.body import answer, body, key, number
from appliance.web.api.events import LIMIT, LONGEST
from appliance.web.keys import SERVICES, USER


async def index(request: web.Request) -> web.Response:
    """All machines."""
    services = request.app[SERVICES]
    now, views = services.clock(), await machine_views(services.store)
    return answer(shapes.Items(items=[outward.machine(view, now) for view in views]))


async def show(request: web.Request) -> web.Response:
    """One machine with its inventory."""
    services = request.app[SERVICES]
    view = await machine_view(services.store, key(request))
    return answer(outward.machine_detail(view, services.clock()))


async def change(request: web.Request) -> web.Response:
    """Change what users may change."""
    services, given = request.app[SERVICES], await body(request, shapes.MachineIn)
    wanted = MachineChange(
        given.name,
        given.maintenance,
        given.broken,
        given.notes,
        given.hand_over,
        _address(given.reserved_address),
        given.tags,
        given.add_tags,
        given.remove_tags,
    )
    changed = await services.wishes.change_machine(key(request), wanted, request[USER])
    return answer(outward.machine_detail(await machine_view(services.store, changed.id), services.clock()))


def _address(given: str | msgspec.UnsetType | None) -> str | None:
    """Unset leaves the reservation as it is, null takes it away."""
    return None if isinstance(given, msgspec.UnsetType) else given or ""


async def delete(request: web.Request) -> web.Response:
    """Forget the machine."""
    await request.app[SERVICES].wishes.delete_machine(key(request), request[USER])
    return web.Response(status=204)


async def events(request: web.Request) -> web.Response:
    """The machine's timeline."""
    limit = number(request, "limit", 1, LONGEST) or LIMIT
    store, before = request.app[SERVICES].store, number(request, "before")
    found = await timeline(store, key(request), before=before, limit=limit)
    return answer(outward.event_page(found, limit))
