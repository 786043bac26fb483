"""Users for programs, and what everybody may change of their own account."""

from typing import Annotated, Literal

import msgspec
from aiohttp import web

from appliance.decoding import converted
from appliance.store import accounts
from appliance.store.accounts import User
from appliance.web.api import listing
from appliance.web.api.accounts import logged_in
from appliance.web.api.body import answer, body, key
from appliance.web.auth import PROOF
from appliance.web.keys import SERVICES, USER
from appliance.web.users import USERS, UserChange

RoleName = Literal["viewer", "operator", "admin"]
Password = Annotated[str, msgspec.Meta(max_length=1000)]


class UserIn(msgspec.Struct, forbid_unknown_fields=True):
    """A user to make."""

    name: Annotated[str, msgspec.Meta(max_length=200)]
    password: Password
    role: RoleName = "viewer"


class UserChangeIn(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of a user; what is left out stays."""

    role: RoleName | None = None
    disabled: bool | None = None


class PasswordIn(msgspec.Struct, forbid_unknown_fields=True):
    """Another password for a user."""

    password: Password


class OwnPasswordIn(msgspec.Struct, forbid_unknown_fields=True):
    """Another password for who asks; ``old`` is the present one."""

    old: Password
    password: Password


class UserDetail(msgspec.Struct):
    """A user."""

    name: str
    role: RoleName
    disabled: bool
    created: float
    last_log_in: float | None
    """Unix time; null: never."""


def _out(user: User) -> UserDetail:
    return converted(
        {
            "name": user.name,
            "role": user.role,
            "disabled": user.disabled,
            "created": user.created,
            "last_log_in": user.last_log_in,
        },
        UserDetail,
    )


async def index(request: web.Request) -> web.Response:
    """Users, by name."""
    wanted = listing.asked(request, accounts.LISTING)
    found, users = await request.app[SERVICES].store.read(lambda db: accounts.found(db, wanted))
    return answer(listing.page(found, [_out(each) for each in users]))


async def create(request: web.Request) -> web.Response:
    """Make a user."""
    given = await body(request, UserIn)
    made = await request.app[USERS].create(given.name, given.role, given.password, request[USER])
    return answer(_out(made), 201)


async def show(request: web.Request) -> web.Response:
    """One user."""
    name = key(request)
    return answer(_out(await request.app[SERVICES].store.read(lambda db: accounts.existing(db, name))))


async def change(request: web.Request) -> web.Response:
    """Give a user another role, or keep them out."""
    given = await body(request, UserChangeIn)
    wanted = UserChange(given.role, given.disabled)
    return answer(_out(await request.app[USERS].change(key(request), wanted, request[USER])))


async def delete(request: web.Request) -> web.Response:
    """Forget a user, with all their log-ins and tokens."""
    await request.app[USERS].delete(key(request), request[USER])
    return web.Response(status=204)


async def set_password(request: web.Request) -> web.Response:
    """Give another user another password; all their log-ins end."""
    given = await body(request, PasswordIn)
    await request.app[USERS].set_password(key(request), given.password, request[USER])
    return web.Response(status=204)


async def change_password(request: web.Request) -> web.Response:
    """Change one's own password: all other log-ins end, and this one goes on with another token."""
    given = await body(request, OwnPasswordIn)
    return logged_in(await request.app[USERS].change_password(given.old, given.password, request[PROOF]))
