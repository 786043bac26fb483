"""How long whoever asks by HTTP waits for a disk that does not answer."""

from aiohttp import web
from aiohttp.typedefs import Handler

from appliance.store.store import PATIENCE

SECONDS = 8.0
"""Firmware, agents and browsers wait longer than that, and all of them can be told to ask again."""


@web.middleware
async def impatient(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Outermost of a site: an answer that says what is wrong is better than none.

    It is never taken back: each request of a connection begins here.
    """
    PATIENCE.set(SECONDS)
    return await handler(request)
