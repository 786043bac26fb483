"""``GET /metrics``: what Prometheus reads."""

from aiohttp import web

from appliance.accounts import Role
from appliance.metrics.exposition import CONTENT_TYPE
from appliance.store.census import census
from appliance.web.doors import open_door
from appliance.web.keys import SERVICES


def add_routes(app: web.Application) -> None:
    """For whoever may see the fleet; programs send a bearer token as to the API."""
    open_door(app, "GET", "/metrics", answer, Role.VIEWER)


async def answer(request: web.Request) -> web.Response:
    """All metrics in Prometheus' text format."""
    services = request.app[SERVICES]
    page = services.metrics.page(await services.store.read(census))
    return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE})
