"""One's own account: password, tokens, log-ins; and those of everybody, for administrators."""

from collections.abc import Mapping

from aiohttp import web

from appliance.accounts import ROLES, Role
from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.store import api_tokens, log_ins
from appliance.store.api_tokens import ApiToken
from appliance.web.api_tokens import DEFAULT_DAYS, MOST_DAYS, NewToken
from appliance.web.auth import ACCOUNTS, PROOF, give_cookie
from appliance.web.console.confirm import confirm_page, confirmed
from appliance.web.console.page import render, see_other, who
from appliance.web.console.paging import read, shown
from appliance.web.console.programs import program_in_words
from appliance.web.console.users import MEANINGS, repeated
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES
from appliance.web.passwords import SHORTEST
from appliance.web.problem import status_of
from appliance.web.users import USERS

HOME = "/account"
DAYS = ("30", "90", "365", str(MOST_DAYS), "never")
"""What the form of a token offers; the last for administrators only."""


async def show(request: web.Request) -> web.Response:
    """GET /account"""
    return await _page(request)


async def _page(request: web.Request, error: ApplianceError | None = None) -> web.Response:
    by = who(request)
    return render(
        request,
        "account.html",
        status=status_of(error) if error else 200,
        error=error,
        tokens=await _tokens(request, by.name),
        log_ins=await request.app[USERS].log_ins_of(by.name),
        present=request[PROOF].log_in,
        program=program_in_words,
        meaning=MEANINGS[by.role],
        shortest=SHORTEST,
        changed=request.query.get("changed") == "password",
    )


async def _tokens(request: web.Request, user: str) -> list[ApiToken]:
    return await request.app[SERVICES].store.read(lambda db: api_tokens.every(db, user))


async def change_password(request: web.Request) -> web.Response:
    """POST /account/password with ``old``, ``password`` and ``again``."""
    sent = await fields(request)
    try:
        made = await request.app[USERS].change_password(text(sent, "old"), repeated(sent), request[PROOF])
    except ApplianceError as error:
        return await _page(request, error)
    response = see_other(f"{HOME}?changed=password")
    give_cookie(response, made.token)
    return response


async def end_log_in(request: web.Request) -> web.Response:
    """POST /account/log-ins/{key}/end"""
    await request.app[USERS].end_log_in(request.match_info["key"], who(request))
    return see_other(HOME)


async def token_form(request: web.Request) -> web.Response:
    """GET /account/tokens/new"""
    return _token_page(request, {})


def _token_page(request: web.Request, typed: Mapping[str, str], error: ApplianceError | None = None) -> web.Response:
    role = who(request).role
    return render(
        request,
        "token_new.html",
        status=status_of(error) if error else 200,
        typed={"name": "", "scope": "viewer", "days": str(DEFAULT_DAYS)} | dict(typed),
        error=error,
        scopes=[each for each in ROLES if role.covers(each)],
        meanings=MEANINGS,
        days=DAYS if role is Role.ADMIN else DAYS[:-1],
    )


async def create_token(request: web.Request) -> web.Response:
    """POST /account/tokens/new with ``name``, ``scope`` and ``days``; the answer shows the token, this once."""
    sent = await fields(request)
    typed = {name: text(sent, name).strip() for name in ("name", "scope", "days")}
    try:
        new = NewToken(typed["name"], typed["scope"], _days(typed["days"]))
        made = await request.app[ACCOUNTS].api_tokens.create(new, who(request))
    except (Invalid, Conflict) as error:
        return _token_page(request, typed, error)
    return render(request, "token_made.html", made=made)


def _days(typed: str) -> int | None:
    if typed == "never":
        return None
    if not typed.isascii() or not typed.isdecimal() or len(typed) > 4:
        raise Invalid("expiry-invalid", "this is no number of days", f"use 1 to {MOST_DAYS}", "days")
    return int(typed)


async def ask_delete_token(request: web.Request) -> web.Response:
    """GET /account/tokens/{key}/delete"""
    return await _delete_token_page(request)


async def _visible(request: web.Request) -> ApiToken:
    tokens, by, key = request.app[ACCOUNTS].api_tokens, who(request), request.match_info["key"]
    return await request.app[SERVICES].store.read(lambda db: tokens.visible(db, key, by))


async def _delete_token_page(request: web.Request, wrong: ApplianceError | None = None) -> web.Response:
    token = await _visible(request)
    used = f", last from {token.used_from}" if token.used_from else ""
    return confirm_page(
        request,
        title=f"Delete token {token.name}",
        texts=(f"It is worthless from then on; what uses it{used} stops working. It acts for {token.user}.",),
        confirm=token.name,
        button=f"Delete token {token.name}",
        back=_back(request, token.user),
        wrong=wrong,
    )


def _back(request: web.Request, owner: str) -> str:
    return HOME if owner == who(request).name else "/settings/tokens"


async def delete_token(request: web.Request) -> web.Response:
    """POST /account/tokens/{key}/delete with its name typed."""
    token = await _visible(request)
    if wrong := await confirmed(request, token.name):
        return await _delete_token_page(request, wrong)
    await request.app[ACCOUNTS].api_tokens.delete(token.id, who(request))
    return see_other(_back(request, token.user))


async def all_tokens(request: web.Request) -> web.Response:
    """GET /settings/tokens, filtered by ``q``, ``scope``, ``user`` and ``expired``."""
    wanted = shown(request, "/settings/tokens", api_tokens.LISTING, ("q", "scope", "user", "expired"))
    store = request.app[SERVICES].store
    listed = await read(wanted, lambda asked: store.read(lambda db: api_tokens.found(db, asked)), 0)
    return render(request, "tokens.html", listed=listed, scopes=ROLES, tab="tokens")


async def all_log_ins(request: web.Request) -> web.Response:
    """GET /settings/log-ins, filtered by ``q`` and ``user``."""
    wanted = shown(request, "/settings/log-ins", log_ins.LISTING, ("q", "user"))
    store, present = request.app[SERVICES].store, request[PROOF].log_in
    listed = await read(wanted, lambda asked: store.read(lambda db: log_ins.found(db, asked)), 0)
    return render(request, "log_ins.html", listed=listed, present=present, program=program_in_words, tab="log-ins")


async def end_any_log_in(request: web.Request) -> web.Response:
    """POST /settings/log-ins/{key}/end"""
    await request.app[USERS].end_log_in(request.match_info["key"], who(request))
    return see_other("/settings/log-ins")
