"""Log-ins for programs: which go on, and to end them."""

import msgspec
from aiohttp import web

from appliance.store import log_ins
from appliance.web.api import listing
from appliance.web.api.body import answer, key
from appliance.web.api.tokens import own
from appliance.web.auth import PROOF
from appliance.web.keys import SERVICES, USER
from appliance.web.users import USERS


class LogInOut(msgspec.Struct):
    """A log-in that goes on."""

    id: str
    user: str
    created: float
    used: float
    """When it was last used, to a minute."""
    expires: float
    """When it ends in any case; without use it ends earlier."""
    address: str
    """Where it was made from."""
    program: str
    """What the browser or program calls itself."""
    current: bool
    """Whether this request was made with it."""


async def index(request: web.Request) -> web.Response:
    """One's own log-ins, or everybody's."""
    wanted, present = own(request, log_ins.LISTING), request[PROOF].log_in
    found, shown = await request.app[SERVICES].store.read(lambda db: log_ins.found(db, wanted))
    items = [
        LogInOut(
            id=each.id,
            user=each.user,
            created=each.created,
            used=each.used,
            expires=each.expires,
            address=each.address,
            program=each.program,
            current=each.id == present,
        )
        for each in shown
    ]
    return answer(listing.page(found, items))


async def end(request: web.Request) -> web.Response:
    """End a log-in; its open pages close at once."""
    await request.app[USERS].end_log_in(key(request), request[USER])
    return web.Response(status=204)
