"""First-run set-up: a one-time link makes the first administrator. There is no default password anywhere."""

import asyncio
import hmac
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from appliance.accounts import Asker, Role
from appliance.errors import Conflict, Denied
from appliance.events import Bus, Event
from appliance.machine import check_name
from appliance.reconcile import audit
from appliance.reconcile.record import Tell, record
from appliance.state import write_whole
from appliance.store import accounts
from appliance.store.accounts import User
from appliance.store.store import Store
from appliance.store.tokens import hash_token
from appliance.web.auth import Made, open_session
from appliance.web.passwords import Passwords, check_password

GOOD_FOR = 24 * 3600.0
"""Seconds; every start of the daemon makes a fresh link."""
LINK_FILE = "setup-url"
"""In the state directory; its first line is the link's path and query."""

_HASH, _EXPIRES = "setup.hash", "setup.expires"
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is taken for another, and none that makes words."""
_CODE_LENGTH = 16
"""80 random bits, good for a day: nobody guesses them over a network, and a person types them from a screen."""
_FRESH = f"restart the appliance's service: it writes a fresh link to {LINK_FILE} in its state directory"


def new_code() -> str:
    """A fresh token for the link, in groups of four: ``K7Q2-9XMA-4R8T-ZW3C``."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_CODE_LENGTH))
    return "-".join(letters[place : place + 4] for place in range(0, _CODE_LENGTH, 4))


def canonical(typed: str) -> str:
    """A token as it is hashed, however it was typed: in any case, with O, I and L for the digits they look like."""
    return typed.upper().replace("-", "").replace(" ", "").translate(str.maketrans("OIL", "011"))


async def prepare_setup(store: Store, state_dir: Path, now: float) -> str | None:
    """A fresh set-up link (path and query) where there is no user yet; None, and no link, where there is one."""
    token = new_code()

    def job(db: sqlite3.Connection) -> bool:
        if accounts.users(db):
            return False
        accounts.put_setting(db, _HASH, hash_token(canonical(token)))
        accounts.put_setting(db, _EXPIRES, repr(now + GOOD_FOR))
        return True

    file = state_dir / LINK_FILE
    if not await store.write(job):
        await asyncio.to_thread(file.unlink, missing_ok=True)
        return None
    link = f"/setup?token={token}"
    await asyncio.to_thread(write_whole, file, f"{link}\n".encode())
    return link


class Setup:
    """What the set-up page and ``POST /api/v1/setup`` do."""

    def __init__(
        self, store: Store, bus: Bus, clock: Callable[[], float], state_dir: Path, passwords: Passwords
    ) -> None:
        self._store, self._bus, self._clock = store, bus, clock
        self._file = state_dir / LINK_FILE
        self._passwords = passwords

    async def check(self, token: str) -> None:
        """Whether the token would be taken: raises Denied or Conflict with the reason if not."""
        await self._store.read(lambda db: _check(db, token, self._clock()))

    async def complete(self, token: str, name: str, password: str, address: str, program: str = "") -> Made:
        """Make the first administrator and log them in; of two calls at once exactly one succeeds.

        Raises Denied for a token that is wrong or expired, Conflict when set-up is done, Invalid for a name
        or password that does not do.
        """
        await self.check(token)  # before a stranger makes us hash
        check_name(name)
        check_password(password, name)
        user = User(name, await self._passwords.hash(password), "admin", self._clock())

        def job(db: sqlite3.Connection, tell: Tell) -> Made:
            _check(db, token, self._clock())
            accounts.add_user(db, user)
            for key in (_HASH, _EXPIRES):
                accounts.put_setting(db, key, None)
            tell(Event("user.login", self._clock(), f"{name} set the appliance up, as its first administrator"))
            by = Asker(name, Role.ADMIN, address, "set-up")
            audit.note(db, by, "user.create", ("user", name, name), None, {"role": "admin"}, now=self._clock())
            return open_session(db, tell, user, address, self._clock(), program)

        log_in = await record(self._store, self._bus, job)
        await asyncio.to_thread(self._file.unlink, missing_ok=True)
        return log_in


SETUP = web.AppKey("setup", Setup)
"""``request.app[SETUP]``."""


def _check(db: sqlite3.Connection, token: str, now: float) -> None:
    if accounts.users(db):
        raise Conflict("setup-done", "the appliance has been set up already", "log in instead")
    stored, expires = accounts.setting(db, _HASH), accounts.setting(db, _EXPIRES)
    if not stored or not expires or not hmac.compare_digest(stored, hash_token(canonical(token))):
        hint = f"copy the whole link from {LINK_FILE} in the state directory, or {_FRESH}"
        raise Denied("setup-token-wrong", "this set-up link is not the present one", hint, "token")
    if now >= float(expires):
        raise Denied("setup-token-expired", "this set-up link has expired", _FRESH, "token")
