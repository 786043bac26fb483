"""The door: first-run set-up, log-in, log-out."""

from aiohttp import web

from appliance.errors import ApplianceError, Invalid
from appliance.web.auth import (
    ACCOUNTS,
    PROOF,
    authenticate,
    client_address,
    give_cookie,
    program_of,
    take_cookie,
)
from appliance.web.console.first_steps import next_step, stepper
from appliance.web.console.page import render, see_other
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES, USER
from appliance.web.origin import relative_target
from appliance.web.passwords import SHORTEST
from appliance.web.problem import status_of
from appliance.web.setup import SETUP


async def show_login(request: web.Request) -> web.Response:
    """GET /login; ``next`` is where to go after it."""
    target = relative_target(request.query.get("next"))
    if await authenticate(request) is not None:
        return see_other(target)
    return _login_page(request, target)


def _login_page(request: web.Request, target: str, name: str = "", error: ApplianceError | None = None) -> web.Response:
    return render(
        request,
        "login.html",
        status=status_of(error) if error else 200,
        next=target,
        name=name,
        error=error,
        fingerprint=request.app[SERVICES].fingerprint,
    )


async def log_in(request: web.Request) -> web.Response:
    """POST /login with ``name``, ``password`` and ``next``."""
    sent = await fields(request)
    name, target = text(sent, "name").strip(), relative_target(text(sent, "next"))
    try:
        made = await request.app[ACCOUNTS].log_in(
            name, text(sent, "password"), client_address(request), program_of(request)
        )
    except ApplianceError as error:
        return _login_page(request, target, name[:80], error)
    await _leave(request)
    response = see_other(target)
    give_cookie(response, made.token)
    return response


async def _leave(request: web.Request) -> None:
    """Who logs in anew has no more use for the log-in of before; its token is not taken over."""
    if PROOF in request:
        await request.app[ACCOUNTS].log_out(request[PROOF])


async def log_out(request: web.Request) -> web.Response:
    """POST /logout"""
    await request.app[ACCOUNTS].log_out(request[PROOF])
    response = see_other("/login")
    take_cookie(response)
    return response


def _setup_page(request: web.Request, token: str, name: str = "", error: ApplianceError | None = None) -> web.Response:
    return render(
        request,
        "setup.html",
        status=status_of(error) if error else 200,
        token=token,
        name=name,
        error=error,
        shortest=SHORTEST,
        steps=stepper(None, "account") if request.app[SERVICES].first_start else [],
        fingerprint=request.app[SERVICES].fingerprint,
    )


async def show_setup(request: web.Request) -> web.Response:
    """GET /setup with ``token``: refused as a page when the link is no good (any more).

    Without one, who is logged in goes on with the steps of a flashed appliance.
    """
    if USER in request and "token" not in request.query:
        return await next_step(request)
    token = request.query.get("token", "")
    try:
        await request.app[SETUP].check(token)
    except ApplianceError as error:
        return _refused(request, error)
    return _setup_page(request, token)


def _refused(request: web.Request, error: ApplianceError) -> web.Response:
    fingerprint = request.app[SERVICES].fingerprint
    return render(request, "setup_refused.html", status=status_of(error), error=error, fingerprint=fingerprint)


async def set_up(request: web.Request) -> web.Response:
    """POST /setup with ``token``, ``name``, ``password``, ``again``; logs the new administrator in."""
    sent = await fields(request)
    token, name, password = text(sent, "token"), text(sent, "name").strip(), text(sent, "password")
    if password != text(sent, "again"):
        error = Invalid("password-differs", "The two passwords differ", "type both again", "again")
        return _setup_page(request, token, name, error)
    try:
        made = await request.app[SETUP].complete(token, name, password, client_address(request), program_of(request))
    except Invalid as error:
        return _setup_page(request, token, name, error)
    except ApplianceError as error:
        return _refused(request, error)
    response = see_other("/setup" if request.app[SERVICES].first_start else "/")
    give_cookie(response, made.token)
    return response
