"""Set-up, log-in and log-out for programs."""

from aiohttp import web

from appliance.web.api import shapes
from appliance.web.api.body import answer, body
from appliance.web.auth import ACCOUNTS, LogIn, client_address, give_cookie, take_cookie, token_of
from appliance.web.keys import USER
from appliance.web.setup import SETUP


async def set_up(request: web.Request) -> web.Response:
    """Make the first administrator, and log them in."""
    given = await body(request, shapes.SetupIn)
    log_in = await request.app[SETUP].complete(given.token, given.name, given.password, client_address(request))
    return _logged_in(log_in)


async def log_in(request: web.Request) -> web.Response:
    """Trade name and password for a token."""
    given = await body(request, shapes.SessionIn)
    return _logged_in(await request.app[ACCOUNTS].log_in(given.name, given.password, client_address(request)))


async def current(request: web.Request) -> web.Response:
    """Who the token is."""
    return answer(shapes.UserOut(name=request[USER].name, role=request[USER].role))


async def log_out(request: web.Request) -> web.Response:
    """End the log-in that the request was made with."""
    await request.app[ACCOUNTS].log_out(token_of(request)[0] or "")
    response = web.Response(status=204)
    take_cookie(response)
    return response


def _logged_in(made: LogIn) -> web.Response:
    user = shapes.UserOut(name=made.user.name, role=made.user.role)
    response = answer(shapes.SessionOut(token=made.token, expires=made.expires, user=user), 201)
    give_cookie(response, made)
    return response
