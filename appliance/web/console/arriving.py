"""What is on its way, as the lists of images and kernels show it, and as it is removed."""

from contextlib import suppress

from aiohttp import web

from appliance.errors import NotFound
from appliance.intake import WAYS, Place
from appliance.reconcile.intake import Arrival
from appliance.web.api.body import key
from appliance.web.api.uploads import INTAKE
from appliance.web.console.page import see_other, who


async def arriving(request: web.Request, subject: str) -> list[Arrival]:
    """Those that change an ``image``, an ``iso``, or a ``kernel``."""
    return [each for each in await request.app[INTAKE].standing() if each.place.way.subject == subject]


async def stopped(request: web.Request, kind: str) -> web.Response:
    """Remove what is half here under a name, then show the list; nothing there is no error."""
    with suppress(NotFound):
        await request.app[INTAKE].forget(Place(kind, key(request)), who(request))
    return see_other(f"/{WAYS[kind].subject}s")
