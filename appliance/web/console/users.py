"""Users: their list, a new one, what one may do, another password, the end of one."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from appliance.accounts import ROLES
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.store import accounts
from appliance.web.console.confirm import confirm_page, confirmed
from appliance.web.console.page import render, see_other, who
from appliance.web.console.paging import read, shown
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES
from appliance.web.passwords import SHORTEST
from appliance.web.problem import status_of
from appliance.web.users import USERS, UserChange

LIST = "/settings/users"
MEANINGS = {
    "viewer": "Sees the fleet and changes nothing of it.",
    "operator": "Runs the fleet: machines, deployments, images, kernels, addresses and names.",
    "admin": "Runs the fleet, and manages users, all tokens and log-ins, the certificate and the audit log.",
}
"""What each role may do, in a line."""


async def index(request: web.Request) -> web.Response:
    """GET /settings/users, filtered by ``q``, ``role`` and ``disabled``."""
    wanted, store = shown(request, LIST, accounts.LISTING, ("q", "role", "disabled")), request.app[SERVICES].store
    listed = await read(wanted, lambda asked: store.read(lambda db: accounts.found(db, asked)), 0)
    return render(request, "users.html", listed=listed, roles=ROLES, tab="users")


async def form(request: web.Request) -> web.Response:
    """GET /settings/users/new"""
    return _new_page(request, {})


def _new_page(request: web.Request, typed: Mapping[str, str], error: ApplianceError | None = None) -> web.Response:
    shown = {"name": typed.get("name", ""), "role": typed.get("role", "viewer")}
    return render(
        request,
        "user_new.html",
        status=status_of(error) if error else 200,
        typed=shown,
        error=error,
        roles=ROLES,
        meanings=MEANINGS,
        shortest=SHORTEST,
        tab="users",
    )


async def create(request: web.Request) -> web.Response:
    """POST /settings/users/new with ``name``, ``role``, ``password`` and ``again``."""
    sent = await fields(request)
    name, role = text(sent, "name").strip(), text(sent, "role")
    try:
        await request.app[USERS].create(name, role, repeated(sent), who(request))
    except (Invalid, Conflict) as error:
        return _new_page(request, {"name": name, "role": role}, error)
    return see_other(LIST)


def repeated(sent: Mapping[str, Any]) -> str:
    """A new password that was typed twice; raises Invalid."""
    password = text(sent, "password")
    if password != text(sent, "again"):
        raise Invalid("password-differs", "The two passwords differ", "type both again", "again")
    return password


async def show(request: web.Request) -> web.Response:
    """GET /settings/users/{name}"""
    return await _page(request)


async def _page(request: web.Request, error: ApplianceError | None = None, **typed: str) -> web.Response:
    name = request.match_info["name"]
    user = await request.app[SERVICES].store.read(lambda db: accounts.existing(db, name))
    log_ins = await request.app[USERS].log_ins_of(name)
    return render(
        request,
        "user.html",
        status=status_of(error) if error else 200,
        one=user,
        role=typed.get("role", user.role),
        log_ins=len(log_ins),
        error=error,
        roles=ROLES,
        meanings=MEANINGS,
        shortest=SHORTEST,
        tab="users",
    )


async def save(request: web.Request) -> web.Response:
    """POST /settings/users/{name} with ``role`` and, where nobody is to get in, ``disabled``."""
    name, sent = request.match_info["name"], await fields(request)
    role, disabled = text(sent, "role"), text(sent, "disabled") == "yes"
    try:
        await request.app[USERS].change(name, UserChange(role, disabled), who(request))
    except NotFound:
        raise
    except ApplianceError as error:
        return await _page(request, error, role=role)
    return see_other(LIST)


async def set_password(request: web.Request) -> web.Response:
    """POST /settings/users/{name}/password with ``password`` and ``again``."""
    name, sent = request.match_info["name"], await fields(request)
    try:
        await request.app[USERS].set_password(name, repeated(sent), who(request))
    except NotFound:
        raise
    except ApplianceError as error:
        return await _page(request, error)
    return see_other(LIST)


async def ask_delete(request: web.Request) -> web.Response:
    """GET /settings/users/{name}/delete"""
    return await _delete_page(request)


async def _delete_page(request: web.Request, wrong: ApplianceError | None = None) -> web.Response:
    name = request.match_info["name"]
    await request.app[SERVICES].store.read(lambda db: accounts.existing(db, name))
    return confirm_page(
        request,
        title=f"Delete user {name}",
        texts=(
            f"{name} is logged out everywhere, and all tokens of {name} are worthless from then on.",
            "What the user did stays in the audit log. To keep somebody out for a while, disable the user instead.",
        ),
        confirm=name,
        button=f"Delete user {name}",
        back=f"{LIST}/{name}",
        wrong=wrong,
    )


async def delete(request: web.Request) -> web.Response:
    """POST /settings/users/{name}/delete with the name typed."""
    name = request.match_info["name"]
    if wrong := await confirmed(request, name):
        return await _delete_page(request, wrong)
    try:
        await request.app[USERS].delete(name, who(request))
    except Conflict as error:
        return await _delete_page(request, error)
    return see_other(LIST)
