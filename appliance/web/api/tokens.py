"""API tokens for programs."""

from dataclasses import replace
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from appliance.accounts import Role, require
from appliance.store import api_tokens
from appliance.store.api_tokens import ApiToken
from appliance.store.listing import Asked, Listing
from appliance.web.api import listing
from appliance.web.api.body import answer, body, key
from appliance.web.api_tokens import DEFAULT_DAYS, NewToken
from appliance.web.auth import ACCOUNTS
from appliance.web.keys import SERVICES, USER


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


def own(request: web.Request, of: Listing) -> Asked:
    """What is asked of a list of what users have: what is their own, or, for administrators, more; raises Denied."""
    wanted, by = listing.asked(request, of), request[USER]
    user = wanted.filters.get("user", by.name)
    everybody = wanted.filters.get("everybody", False)
    if everybody or user != by.name:
        require(by, Role.ADMIN)
    return wanted if everybody else replace(wanted, filters={**wanted.filters, "user": user})


async def index(request: web.Request) -> web.Response:
    """One's own tokens, or everybody's."""
    wanted = own(request, api_tokens.LISTING)
    found, tokens = await request.app[SERVICES].store.read(lambda db: api_tokens.found(db, wanted))
    return answer(listing.page(found, [_out(each) for each in tokens]))


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
