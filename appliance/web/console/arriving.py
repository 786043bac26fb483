"""Images and kernels that are on their way, as their lists show them, and as they are removed."""

from contextlib import suppress

from aiohttp import web

from appliance.errors import NotFound
from appliance.intake import Place
from appliance.reconcile.intake import Arrival
from appliance.web.api.body import key
from appliance.web.api.uploads import INTAKE
from appliance.web.console.page import see_other, who


async def arriving(request: web.Request, kind: str) -> list[Arrival]:
    """Those of one kind: ``image`` or ``kernel``."""
    return [each for each in await request.app[INTAKE].standing() if each.place.kind == kind]


async def stopped(request: web.Request, kind: str) -> web.Response:
    """Remove what is half here under a name, then show the list; nothing there is no error."""
    with suppress(NotFound):
        await request.app[INTAKE].forget(Place(kind, key(request)), who(request))
    return see_other(f"/{kind}s")
