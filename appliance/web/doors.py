"""Who may reach which address: every address is opened with the least role that it takes, or for everybody."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from appliance.accounts import Role

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

Doors = dict[tuple[str, str], Role | None]
"""(method, route) -> the least role; None: answered without knowing who asks."""

DOORS = web.AppKey("doors", Doors)
"""``app[DOORS]``."""

EVERYBODY = None
"""The role of an address that is answered without knowing who asks."""


def open_door(app: web.Application, method: str, path: str, handler: Handler, role: Role | None) -> None:
    """Serve ``path`` to whoever has the role; HEAD comes with GET."""
    route = app.router.add_route(method, path, handler)
    assert route.resource is not None
    app[DOORS][method, route.resource.canonical] = role


def role_for(request: web.Request) -> Role | None:
    """The least role for the route that will answer; the path as written is never compared.

    There is none for an address that does not exist, nor for a wrong method: any user may hear that.
    """
    resource = request.match_info.route.resource
    if resource is None:
        return Role.VIEWER
    method = "GET" if request.method == "HEAD" else request.method
    return request.app[DOORS].get((method, resource.canonical), Role.ADMIN)
