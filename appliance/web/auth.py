"""Who asks: log-ins, their tokens and cookies.

A browser's token is replaced after an hour of use. The new one takes its place when it comes back for the first time,
so that an answer that was lost logs nobody out; the old one is good for one more minute, for requests that are on
their way. Whoever shows it later has copied it, or is the one that it was copied from: the log-in ends for both.
"""

import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from appliance.accounts import Asker, Role
from appliance.errors import Denied
from appliance.events import Bus, Event
from appliance.netboot.answers import bearer
from appliance.reconcile import audit
from appliance.reconcile.ration import Ration, more
from appliance.reconcile.record import Tell, record
from appliance.store import accounts, log_ins
from appliance.store.accounts import User
from appliance.store.log_ins import LogIn, LogInToken
from appliance.store.store import Store
from appliance.store.tokens import hash_token
from appliance.web.access import Access
from appliance.web.api_tokens import PREFIX, ApiTokens
from appliance.web.loginlimits import LoginLimits, TooOften
from appliance.web.passwords import Passwords

COOKIE = "__Host-qrm"
"""The prefix makes browsers take it over TLS only, for this host only (RFC 6265bis section 4.1.3.2)."""
UNATTENDED = "Unattended"
"""The header of requests that an open page makes by itself: nobody need be there, and the idle time goes on."""
IDLE_END = log_ins.IDLE_END
"""Seconds without a request after which a log-in ends."""
ABSOLUTE_END = 7 * 86400.0
"""Seconds after which a log-in ends in any case."""
TOUCH_EVERY = 60.0
"""Seconds between two notes of "last used": a durable write for every request would be too dear."""
REPLACE_AFTER = 3600.0
"""Seconds after which a browser's token is replaced."""
GRACE = 60.0
"""Seconds for which a replaced token is still good, and between two offers of another one."""
FAILURES, FAILURE_SECONDS = 100, 10.0
"""Failed log-ins that are told at once, and the seconds between two after that: strangers make us write them."""
LONGEST_PROGRAM = 200
"""Characters of what a browser calls itself that are kept."""


@dataclass(frozen=True, slots=True)
class Made:
    """A log-in just made, or given another token; the only place where its token is known."""

    id: str
    user: User
    token: str
    expires: float
    """Unix time at which it ends in any case."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Who a request comes from, and by what it was proven."""

    asker: Asker
    log_in: str = ""
    """Id of the log-in; empty where it was an API token."""
    api_token: str = ""
    """Id of the API token."""
    next_token: str = ""
    """Another token for the browser, if it is time for one."""


class Accounts:
    """Logs users in and out and tells whose a token is."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], passwords: Passwords) -> None:
        self._store, self._bus, self._clock = store, bus, clock
        self._limits = LoginLimits()
        self._failures = Ration(FAILURES, FAILURE_SECONDS)
        self._set_up = False
        self.passwords = passwords
        self.access = Access()
        self.api_tokens = ApiTokens(store, bus, clock, self.access.changed)

    async def log_in(self, name: str, password: str, address: str, program: str = "") -> Made:
        """Check name and password; raises Denied ``login-wrong`` or ``login-disabled``, or TooOften.

        ``address`` is the client's, for the logs and for the delays after failures; ``program`` what it calls itself.
        """
        wait = self._limits.begin(name, address, self._clock())
        if wait > 0:
            raise TooOften(wait)
        user = await self._store.read(lambda db: accounts.user(db, name))
        if not await self.passwords.matches(user.password if user else None, password) or user is None:
            await self._failed(name, address, "name or password is wrong")
            raise Denied("login-wrong", "name or password is wrong", "mind upper and lower case")
        if user.disabled:
            await self._failed(name, address, "the user is disabled")
            raise Denied("login-disabled", f"{name} is disabled", "ask an administrator to enable it")
        self._limits.succeeded(name, address)

        def job(db: sqlite3.Connection, tell: Tell) -> Made:
            # Whoever was deleted or disabled meanwhile does not get in.
            present = accounts.existing(db, user.name)
            if present.disabled or present.password != user.password:
                raise Denied("login-wrong", "this user was changed a moment ago", "try again")
            return open_session(db, tell, present, address, self._clock(), program)

        return await record(self._store, self._bus, job)

    async def _failed(self, name: str, address: str, why: str) -> None:
        held_back = self._failures.admit("log-in", self._clock())
        if held_back is None:
            return
        text, now = more(f"log-in as {name[:80]!r} from {address} failed", held_back), self._clock()

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            tell(Event("user.login", now, text))
            said = {"reason": why} | ({"not told before it": held_back} if held_back else {})
            audit.note_failure(db, name, address, "user.log-in", now=now, after=said)

        await record(self._store, self._bus, job)

    async def prove(self, token: str, address: str, *, replace: bool = False, attended: bool = True) -> Proof | None:
        """Whose live log-in or API token this is; its idle time begins anew where it is ``attended``.

        ``replace``: the answer can carry another token, if it is time for one. Raises TooOften for one address that
        tries many API tokens.
        """
        if token.startswith(PREFIX):
            known = await self.api_tokens.prove(token, address)
            return Proof(known[0], api_token=known[1]) if known else None
        found, now = await self._store.read(lambda db: log_ins.find(db, hash_token(token))), self._clock()
        if found is None or _ended(found[0], now):
            return None
        log_in, shown = found
        if shown.retired is not None and now > shown.retired + GRACE:
            await self._stolen(log_in, address)
            return None
        user = await self._store.read(lambda db: accounts.user(db, log_in.user))
        if user is None or user.disabled:
            return None
        due = replace and shown.retired is None and now - shown.created >= REPLACE_AFTER
        following = ""
        touched = attended and now - log_in.used >= TOUCH_EVERY
        if due or shown.used is None or touched:
            # While the disk is stuck people have to be able to look: the rest is done with a later request.
            used = await self._store.write_if_possible(
                lambda db: _used(db, log_in, shown, now, due=due, touched=touched)
            )
            following = used or ""
        return Proof(Asker(user.name, Role(user.role), address), log_in.id, next_token=following)

    async def _stolen(self, log_in: LogIn, address: str) -> None:
        """An old token was shown: it is in two hands, and nobody can tell which of them is the user's."""
        now = self._clock()

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            log_ins.end(db, log_in.id)
            why = "a token that was replaced long ago was used again: it was copied from the browser"
            tell(Event("user.login", now, f"a log-in of {log_in.user} ended, used from {address}", why))
            audit.note_failure(db, log_in.user, address, "user.log-in", now=now, after={"reason": why})

        await record(self._store, self._bus, job)
        self.access.changed()

    async def role_of(self, proof: Proof) -> Role | None:
        """What whoever was let in with this proof may do by now; None: nothing any more. Asking is no use of it."""
        return await self._store.read(lambda db: self._role_in(db, proof))

    def _role_in(self, db: sqlite3.Connection, proof: Proof) -> Role | None:
        if proof.api_token:
            return self.api_tokens.role_in(db, proof.api_token)
        log_in = log_ins.get(db, proof.log_in)
        user = accounts.user(db, log_in.user) if log_in else None
        if log_in is None or user is None or user.disabled or _ended(log_in, self._clock()):
            return None
        return Role(user.role)

    def still_may(self, db: sqlite3.Connection, proof: Proof) -> None:
        """In the transaction of a change: raise Denied where who asked may less by now than when they were let in.

        Between the two a body may come as slowly as its sender likes.
        """
        role = self._role_in(db, proof)
        if role is None:
            raise Denied("login-needed", "this log-in has ended meanwhile", "log in again")
        if not role.covers(proof.asker.role):
            raise Denied("role-missing", f"{proof.asker.name} was made {role} meanwhile", "look again what you may do")

    async def log_out(self, proof: Proof) -> None:
        """End the log-in; its token is worthless from here on. An API token stays as it is."""

        def job(db: sqlite3.Connection) -> None:
            log_ins.end(db, proof.log_in)
            subject = ("user", proof.asker.name, proof.asker.name)
            audit.note(db, proof.asker, "user.log-out", subject, now=self._clock())

        if proof.log_in:
            await self._store.write(job)
            self.access.changed()

    async def set_up(self) -> bool:
        """Whether there is a user. There is always one from the first on, so that a yes is remembered."""
        self._set_up = self._set_up or bool(await self._store.read(accounts.users))
        return self._set_up


ACCOUNTS = web.AppKey("accounts", Accounts)
"""``request.app[ACCOUNTS]``."""
PROOF = web.RequestKey("proof", Proof)
"""``request[PROOF]``: by what the request was let in; set with ``USER``."""


def open_session(db: sqlite3.Connection, tell: Tell, user: User, address: str, now: float, program: str = "") -> Made:
    """Log the user in, within a transaction."""
    token, key = new_token(), secrets.token_hex(8)
    shown = program[:LONGEST_PROGRAM].encode(errors="replace").decode()
    log_in = LogIn(key, user.name, now, now, now + ABSOLUTE_END, address, shown)
    log_ins.add(db, log_in, LogInToken(hash_token(token), key, now))
    accounts.note_log_in(db, user.name, now)
    tell(Event("user.login", now, f"{user.name} logged in from {address}"))
    by = Asker(user.name, Role(user.role), address)
    audit.note(db, by, "user.log-in", ("user", user.name, user.name), now=now)
    return Made(key, user, token, log_in.expires)


def new_token() -> str:
    """256 random bits."""
    return secrets.token_hex(32)


def _used(db: sqlite3.Connection, log_in: LogIn, shown: LogInToken, now: float, *, due: bool, touched: bool) -> str:
    """Note that the token was used; another one for the browser, if it is time for it, else nothing."""
    if touched:
        log_ins.touch(db, log_in.id, now)
    if shown.used is None:
        log_ins.first_use(db, shown, now)
    # Several requests come at once, and each would be given another: one offer in a minute.
    if not due or now - log_ins.newest_token(db, log_in.id) < GRACE:
        return ""
    token = new_token()
    log_ins.add_token(db, LogInToken(hash_token(token), log_in.id, now))
    return token


def _ended(log_in: LogIn, now: float) -> bool:
    return now >= log_in.expires or now - log_in.used >= IDLE_END


def token_of(request: web.Request) -> tuple[str | None, bool]:
    """The token that a request carries, and whether it came by cookie. A bearer token goes first."""
    token = bearer(request.headers.get("Authorization", ""))
    if token is not None:
        return token or None, False
    return request.cookies.get(COOKIE) or None, True


async def authenticate(request: web.Request, *, replace: bool = False) -> Proof | None:
    """Who sends the request, by bearer token (RFC 6750) or by cookie; None for nobody."""
    token, by_cookie = token_of(request)
    if not token or (by_cookie and token.startswith(PREFIX)):
        return None
    attended, address = UNATTENDED not in request.headers, client_address(request)
    return await request.app[ACCOUNTS].prove(token, address, replace=replace and by_cookie, attended=attended)


def client_address(request: web.Request) -> str:
    """Where the request comes from, as text."""
    return request.remote or "unknown"


def program_of(request: web.Request) -> str:
    """What the browser or program calls itself."""
    return request.headers.get("User-Agent", "")


def give_cookie(response: web.StreamResponse, token: str) -> None:
    """Let the browser keep the log-in until it ends."""
    response.set_cookie(COOKIE, token, max_age=int(ABSOLUTE_END), path="/", httponly=True, secure=True, samesite="Lax")


def take_cookie(response: web.Response) -> None:
    """Let the browser forget the log-in."""
    response.del_cookie(COOKIE, path="/", httponly=True, secure=True, samesite="Lax")
