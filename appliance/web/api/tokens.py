"""API tokens for programs."""

from typing import Annotated, Literal

import msgspec
from aiohttp import web

from appliance.accounts import Role, require
from appliance.store import api_tokens
from appliance.store.api_tokens import ApiToken
from appliance.web.api.body import answer, body, key
from appliance.web.api.query import Param, given
from appliance.web.api_tokens import DEFAULT_DAYS, NewToken
from appliance.web.auth import ACCOUNTS
from appliance.web.keys import SERVICES, USER

EVERYBODY = (Param("everybody", bool, "those of all users; for administrators"),)


class TokenIn(msgspec.Struct, forbid_unknown_fields=True):
    """A token to make, of who asks."""

    name: Annotated[str, msgspec.Meta(max_length=200)]
    scope: Literal["viewer", "operator", "admin"] = "viewer"
    """The most that it may do; never more than its owner may at that moment."""
    days: Annotated[int, msgspec.Meta(ge=1, le=730)] | None = DEFAULT_DAYS
    """When it ends; null: never, for administrators."""


class TokenOut(msgspec.Struct):
    """A token, without itself."""

    id: str
    name: str
    user: str
    scope: str
    created: float
    expires: float | None
    used: float | None
    """When it was last used, to a minute; null: never."""
    used_from: str


class TokenMade(msgspec.Struct):
    """A token just made."""

    token: str
    """The token itself; it is never shown again."""
    about: TokenOut


class TokenItems(msgspec.Struct):
    """Tokens, by user and name."""

    items: list[TokenOut]


def _out(stored: ApiToken) -> TokenOut:
    return TokenOut(
        id=stored.id,
        name=stored.name,
        user=stored.user,
        scope=stored.scope,
        created=stored.created,
        expires=stored.expires,
        used=stored.used,
        used_from=stored.used_from,
    )


def whose(request: web.Request) -> str | None:
    """Who the list is of: who asks, or everybody (None) for administrators; raises Denied."""
    if not given(request, EVERYBODY).get("everybody"):
        return request[USER].name
    require(request[USER], Role.ADMIN)
    return None


async def index(request: web.Request) -> web.Response:
    """One's own tokens, or everybody's."""
    user = whose(request)
    found = await request.app[SERVICES].store.read(lambda db: api_tokens.every(db, user))
    return answer(TokenItems([_out(each) for each in found]))


async def create(request: web.Request) -> web.Response:
    """Make a token; this answer is the only one that shows it."""
    sent = await body(request, TokenIn)
    made = await request.app[ACCOUNTS].api_tokens.create(NewToken(sent.name, sent.scope, sent.days), request[USER])
    return answer(TokenMade(made.token, _out(made.stored)), 201)


async def show(request: web.Request) -> web.Response:
    """One token, by id, or one's own by name."""
    wanted, by, tokens = key(request), request[USER], request.app[ACCOUNTS].api_tokens
    return answer(_out(await request.app[SERVICES].store.read(lambda db: tokens.visible(db, wanted, by))))


async def delete(request: web.Request) -> web.Response:
    """End a token."""
    await request.app[ACCOUNTS].api_tokens.delete(key(request), request[USER])
    return web.Response(status=204)
