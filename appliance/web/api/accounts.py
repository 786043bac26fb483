"""Set-up, log-in and log-out for programs."""

from aiohttp import web

from appliance.web.api import shapes
from appliance.web.api.body import answer, body
from appliance.web.auth import ACCOUNTS, PROOF, Made, client_address, give_cookie, program_of, take_cookie
from appliance.web.keys import USER
from appliance.web.setup import SETUP


async def set_up(request: web.Request) -> web.Response:
    """Make the first administrator, and log them in."""
    given = await body(request, shapes.SetupIn)
    address, program = client_address(request), program_of(request)
    return logged_in(await request.app[SETUP].complete(given.token, given.name, given.password, address, program), 201)


async def log_in(request: web.Request) -> web.Response:
    """Trade name and password for a token."""
    given = await body(request, shapes.SessionIn)
    address, program = client_address(request), program_of(request)
    return logged_in(await request.app[ACCOUNTS].log_in(given.name, given.password, address, program), 201)


async def current(request: web.Request) -> web.Response:
    """Who the token is."""
    return answer(shapes.UserOut(name=request[USER].name, role=request[USER].role))


async def log_out(request: web.Request) -> web.Response:
    """End the log-in that the request was made with."""
    await request.app[ACCOUNTS].log_out(request[PROOF])
    response = web.Response(status=204)
    take_cookie(response)
    return response


def logged_in(made: Made, status: int = 200) -> web.Response:
    """A log-in's token, for programs in the answer and for browsers as a cookie."""
    user = shapes.UserOut(name=made.user.name, role=made.user.role)
    response = answer(shapes.SessionOut(token=made.token, expires=made.expires, user=user), status)
    give_cookie(response, made.token)
    return response
