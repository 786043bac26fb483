"""Who asks: log-ins, their tokens and cookies."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import aiosqlite
from aiohttp import web

from appliance.accounts import Asker, Role
from appliance.errors import ApplianceError, Denied
from appliance.events import Bus, Event
from appliance.netboot.answers import bearer
from appliance.reconcile.record import Tell, record
from appliance.store import accounts
from appliance.store.accounts import User, UserSession
from appliance.store.store import Store
from appliance.store.tokens import hash_token
from appliance.web.loginlimits import LoginLimits
from appliance.web.passwords import Passwords

COOKIE = "qrm_session"
IDLE_END = 12 * 3600.0
"""Seconds without a request after which a log-in ends."""
ABSOLUTE_END = 7 * 86400.0
"""Seconds after which a log-in ends in any case."""
TOUCH_EVERY = 60.0
"""Seconds between two notes of "last used": a durable write for every request would be too dear."""


class TooOften(ApplianceError):
    """Too many failed log-ins (HTTP 429); ``wait`` is in seconds."""

    def __init__(self, wait: float) -> None:
        self.wait = max(1, round(wait + 0.5))
        hint = f"wait {self.wait} seconds, then try again"
        super().__init__("login-too-often", "too many failed attempts to log in", hint)


@dataclass(frozen=True, slots=True)
class LogIn:
    """A log-in just made; the only place where its token is known."""

    user: User
    token: str
    expires: float
    """Unix time at which it ends in any case."""


class Accounts:
    """Logs users in and out and tells whose a token is."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], passwords: Passwords) -> None:
        self._store, self._bus, self._clock = store, bus, clock
        self._limits = LoginLimits()
        self._set_up = False
        self.passwords = passwords

    async def log_in(self, name: str, password: str, address: str) -> LogIn:
        """Check name and password; raises Denied ``login-wrong``, or TooOften.

        ``address`` is the client's, for the event log and for the delays after failures.
        """
        wait = self._limits.begin(name, address, self._clock())
        if wait > 0:
            raise TooOften(wait)
        user = await self._store.read(lambda db: accounts.user(db, name))
        if not await self.passwords.matches(user.password if user else None, password) or user is None:
            await self._tell(Event("user.login", self._clock(), f"log-in as {name[:80]!r} from {address} failed"))
            raise Denied("login-wrong", "name or password is wrong", "mind upper and lower case")
        self._limits.succeeded(name, address)

        async def job(db: aiosqlite.Connection, tell: Tell) -> LogIn:
            return await open_session(db, tell, user, address, self._clock())

        return await record(self._store, self._bus, job)

    async def user_of(self, token: str) -> User | None:
        """Whose live log-in this token is; its idle time begins anew."""
        found, now = await self._find(token), self._clock()
        if found is None:
            return None
        session, user = found
        if now - session.used >= TOUCH_EVERY:
            await self._store.write(lambda db: accounts.touch_session(db, session.hash, now))
        return user

    async def lives(self, token: str) -> bool:
        """Whether the token's log-in goes on; asking is no use of it."""
        return await self._find(token) is not None

    async def _find(self, token: str) -> tuple[UserSession, User] | None:
        async def job(db: aiosqlite.Connection) -> tuple[UserSession, User] | None:
            session = await accounts.session(db, hash_token(token))
            user = await accounts.user(db, session.user) if session else None
            return (session, user) if session and user else None

        found = await self._store.read(job)
        return None if found is None or _ended(found[0], self._clock()) else found

    async def log_out(self, token: str) -> None:
        """End the log-in; its token is worthless from here on."""
        await self._store.write(lambda db: accounts.end_session(db, hash_token(token)))

    async def set_up(self) -> bool:
        """Whether there is a user. Users do not vanish, so that a yes is remembered."""
        self._set_up = self._set_up or bool(await self._store.read(accounts.users))
        return self._set_up

    async def _tell(self, event: Event) -> None:
        await record(self._store, self._bus, lambda _, tell: tell(event))


ACCOUNTS = web.AppKey("accounts", Accounts)
"""``request.app[ACCOUNTS]``."""


async def open_session(db: aiosqlite.Connection, tell: Tell, user: User, address: str, now: float) -> LogIn:
    """Log the user in, within a transaction."""
    token = secrets.token_hex(32)
    expires = now + ABSOLUTE_END
    await accounts.add_session(db, UserSession(hash_token(token), user.name, now, now, expires))
    await tell(Event("user.login", now, f"{user.name} logged in from {address}"))
    return LogIn(user, token, expires)


def _ended(session: UserSession, now: float) -> bool:
    return now >= session.expires or now - session.used >= IDLE_END


def token_of(request: web.Request) -> tuple[str | None, bool]:
    """The token that a request carries, and whether it came by cookie. A bearer token goes first."""
    token = bearer(request.headers.get("Authorization", ""))
    if token is not None:
        return token or None, False
    return request.cookies.get(COOKIE) or None, True


async def authenticate(request: web.Request) -> Asker | None:
    """Who sends the request, by bearer token (RFC 6750) or by cookie; None for nobody."""
    token, _ = token_of(request)
    user = await request.app[ACCOUNTS].user_of(token) if token else None
    return Asker(user.name, Role(user.role), client_address(request)) if user else None


def client_address(request: web.Request) -> str:
    """Where the request comes from, as text."""
    return request.remote or "unknown"


def give_cookie(response: web.Response, log_in: LogIn) -> None:
    """Let the browser keep the log-in until it ends."""
    response.set_cookie(
        COOKIE, log_in.token, max_age=int(ABSOLUTE_END), path="/", httponly=True, secure=True, samesite="Lax"
    )


def take_cookie(response: web.Response) -> None:
    """Let the browser forget the log-in."""
    response.del_cookie(COOKIE, path="/", httponly=True, secure=True, samesite="Lax")
