"""Whose request it is, as far as its address tells: what is logged meanwhile says so."""

from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from appliance.about import identified

Whose = Callable[[str], str | None]
"""The id of the machine that an address was leased to; None where that is nobody of the fleet."""


def known_by_address(whose: Whose) -> Middleware:
    """The outermost middleware of a site for machines.

    It is never taken back: requests of one connection come from one address, and each begins here.
    """

    @web.middleware
    async def know(request: web.Request, handler: Handler) -> web.StreamResponse:
        identified(whose(request.remote or ""))
        return await handler(request)

    return know
