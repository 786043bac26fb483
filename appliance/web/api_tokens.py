"""API tokens: what a program shows in a user's place. It never may more than the user may at that moment."""

import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from appliance.accounts import ROLES, Asker, Role, parse_role, require_person
from appliance.errors import Denied, Invalid
from appliance.events import Bus, Event
from appliance.machine import check_name
from appliance.reconcile import audit
from appliance.reconcile.record import Tell, record
from appliance.store import accounts, api_tokens
from appliance.store.accounts import User
from appliance.store.api_tokens import ApiToken
from appliance.store.store import Store
from appliance.store.tokens import hash_token
from appliance.web.loginlimits import LoginLimits, TooOften

PREFIX = "qrm_"
"""What every token begins with, so that people and scanners of leaked secrets know one."""
DAY = 86400.0
DEFAULT_DAYS, MOST_DAYS = 90, 730
TOUCH_EVERY = 60.0
"""Seconds between two notes of "last used"."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """What a user says of a token that they want. ``days`` is None for one that does not end by itself."""

    name: str
    scope: str
    days: int | None = DEFAULT_DAYS


@dataclass(frozen=True, slots=True)
class MadeToken:
    """A token just made; the only place where it is known."""

    stored: ApiToken
    token: str


class ApiTokens:
    """Makes tokens, and tells whose they are."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], changed: Callable[[], None]) -> None:
        """``changed`` is called when somebody may do less than before."""
        self._store, self._bus, self._clock, self._changed = store, bus, clock, changed
        self._limits = LoginLimits()

    async def prove(self, token: str, address: str) -> tuple[Asker, str] | None:
        """Who shows this token, and its id; None for one that is unknown or has ended. Raises TooOften."""
        now = self._clock()
        found = await self._store.read(lambda db: _find(db, hash_token(token)))
        if found is None or _ended(found[0], now) or found[1].disabled:
            self._failed(address, now)
            return None
        stored, owner = found
        if stored.used is None or now - stored.used >= TOUCH_EVERY or stored.used_from != address:
            await self._store.write_if_possible(lambda db: api_tokens.touch(db, stored.id, address, now))
        return Asker(owner.name, _least(owner.role, stored.scope), address, f"token {stored.name}"), stored.id

    def _failed(self, address: str, now: float) -> None:
        """Only who has no good token waits: others at the same address must not shut a program out."""
        wait = self._limits.wait_for_address(address, now)
        if wait > 0:
            raise TooOften(wait)
        self._limits.failed_from(address, now)

    def role_in(self, db: sqlite3.Connection, key: str) -> Role | None:
        """What the token with this id may do now; None: nothing any more."""
        stored = api_tokens.by_id(db, key)
        owner = accounts.user(db, stored.user) if stored else None
        if stored is None or owner is None or owner.disabled or _ended(stored, self._clock()):
            return None
        return _least(owner.role, stored.scope)

    async def create(self, new: NewToken, by: Asker) -> MadeToken:
        """Make a token of the asker's own; raises Denied, Invalid or Conflict."""
        require_person(by, "make tokens")
        token = PREFIX + secrets.token_hex(32)
        made = self._checked(new, by, hash_token(token))

        def job(db: sqlite3.Connection, tell: Tell) -> ApiToken:
            api_tokens.add(db, made)
            tell(Event("token.changed", self._clock(), f"{by} made token {made.name}"))
            audit.note(db, by, "token.create", _subject(made), None, _told(made), now=self._clock())
            return made

        return MadeToken(await record(self._store, self._bus, job), token)

    def _checked(self, new: NewToken, by: Asker, token_hash: str) -> ApiToken:
        scope, now = parse_role(new.scope, "scope"), self._clock()
        if not by.role.covers(scope):
            hint = f"use {' or '.join(role for role in ROLES if by.role.covers(role))}"
            raise Invalid("scope-too-wide", f"you are {by.role}: your token cannot be {scope}", hint, "scope")
        if new.days is None and by.role is not Role.ADMIN:
            raise Invalid("expiry-needed", "only an administrator's token may be without an end", _DAYS_HINT, "days")
        if new.days is not None and not 1 <= new.days <= MOST_DAYS:
            raise Invalid("expiry-invalid", f"a token cannot last {new.days} days", _DAYS_HINT, "days")
        expires = None if new.days is None else now + new.days * DAY
        return ApiToken(secrets.token_hex(6), by.name, check_name(new.name), token_hash, scope, now, expires)

    async def delete(self, key: str, by: Asker) -> ApiToken:
        """End a token: one's own by id or name, an administrator anybody's by id. Raises NotFound or Denied.

        An API token may end itself, and no other.
        """

        def job(db: sqlite3.Connection, tell: Tell) -> ApiToken:
            stored = self.visible(db, key, by)
            if (stored.user, f"token {stored.name}") != (by.name, by.via):
                require_person(by, "end other tokens than itself")
            api_tokens.delete(db, stored.id)
            owner = "" if stored.user == by.name else f" of {stored.user}"
            tell(Event("token.changed", self._clock(), f"{by} deleted token {stored.name}{owner}"))
            audit.note(db, by, "token.delete", _subject(stored), _told(stored), now=self._clock())
            return stored

        stored = await record(self._store, self._bus, job)
        self._changed()
        return stored

    def visible(self, db: sqlite3.Connection, key: str, by: Asker) -> ApiToken:
        """The token, where the asker may know of it; raises NotFound or Denied."""
        stored = api_tokens.get(db, key, by.name)
        if stored.user != by.name and by.role is not Role.ADMIN:
            raise Denied("token-foreign", "this token is another user's", "ask an administrator")
        return stored


_DAYS_HINT = f"use 1 to {MOST_DAYS} days"


def _least(role: str, scope: str) -> Role:
    """What owner and token may both do."""
    return min(Role(role), Role(scope), key=ROLES.index)


def _ended(stored: ApiToken, now: float) -> bool:
    return stored.expires is not None and now >= stored.expires


def _find(db: sqlite3.Connection, token_hash: str) -> tuple[ApiToken, User] | None:
    stored = api_tokens.find(db, token_hash)
    owner = accounts.user(db, stored.user) if stored else None
    return (stored, owner) if stored and owner else None


def _subject(stored: ApiToken) -> tuple[str, str, str]:
    return "token", stored.id, stored.name


def _told(stored: ApiToken) -> dict[str, object]:
    return {"user": stored.user, "name": stored.name, "scope": stored.scope, "expires": stored.expires}
