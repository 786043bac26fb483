"""Who may log in: users are made, changed and deleted here, and there is always an administrator left."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace

from aiohttp import web

from appliance.accounts import Asker, Role, parse_role, require_person
from appliance.errors import Conflict, Denied, Invalid, NotFound
from appliance.events import Bus, Event
from appliance.machine import check_name
from appliance.reconcile import audit
from appliance.reconcile.record import Tell, record
from appliance.store import accounts, log_ins
from appliance.store.accounts import User
from appliance.store.log_ins import LogIn, LogInToken
from appliance.store.store import Store
from appliance.store.tokens import hash_token
from appliance.web.auth import Accounts, Made, Proof, new_token
from appliance.web.loginlimits import LoginLimits, TooOften
from appliance.web.passwords import check_password


@dataclass(frozen=True, slots=True)
class UserChange:
    """What is changed of a user; None leaves it as it is."""

    role: str | None = None
    disabled: bool | None = None


class Users:
    """Every method takes ``by``, who asked; raises Invalid, NotFound, Conflict or Denied."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], doors: Accounts) -> None:
        self._store, self._bus, self._clock, self._doors = store, bus, clock, doors
        self._limits = LoginLimits()

    async def create(self, name: str, role: str, password: str, by: Asker) -> User:
        """Make a user."""
        require_person(by, "make users")
        if check_name(name) == "new":
            raise Invalid("name-reserved", "'new' is the address of a page", "choose another name", "name")
        check_password(password, name)
        new = User(name, await self._doors.passwords.hash(password), parse_role(role), self._clock())

        def job(db: sqlite3.Connection, tell: Tell) -> User:
            accounts.add_user(db, new)
            self._told(db, tell, by, "create", new, None, _told(new))
            return new

        return await record(self._store, self._bus, job)

    async def change(self, name: str, change: UserChange, by: Asker) -> User:
        """Give a user another role, keep them out, or let them in again; it counts at once.

        Raises Conflict ``last-admin`` rather than leave nobody who can manage users.
        """
        require_person(by, "change what users may do")
        role = parse_role(change.role) if change.role is not None else None

        def job(db: sqlite3.Connection, tell: Tell) -> User:
            before = accounts.existing(db, name)
            disabled = before.disabled if change.disabled is None else change.disabled
            after = replace(before, role=role or before.role, disabled=disabled)
            if after == before:
                return before
            accounts.put_user(db, after)
            _keep_an_admin(db, before)
            if after.disabled:
                log_ins.end_all(db, name)
            self._told(db, tell, by, "change", after, _told(before), _told(after))
            return after

        changed = await record(self._store, self._bus, job)
        self._doors.access.changed()
        return changed

    async def delete(self, name: str, by: Asker) -> None:
        """Forget a user with all log-ins and tokens; raises Conflict ``last-admin``."""

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            before = accounts.existing(db, name)
            accounts.delete_user(db, name)
            _keep_an_admin(db, before)
            self._told(db, tell, by, "delete", before, _told(before), None)

        await record(self._store, self._bus, job)
        self._doors.access.changed()

    async def set_password(self, name: str, password: str, by: Asker) -> None:
        """Give another user another password; all log-ins of theirs end."""
        require_person(by, "set passwords")
        if name == by.name:
            hint = "change your own where the present one is asked for: qrm passwd"
            raise Conflict("password-own", "this is your own password", hint)
        check_password(password, name)
        await self._store.read(lambda db: accounts.existing(db, name))
        hashed = await self._doors.passwords.hash(password)

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            accounts.set_password(db, name, hashed)
            user = accounts.existing(db, name)
            self._told(db, tell, by, "password", user, None, None)

        await record(self._store, self._bus, job)
        self._doors.access.changed()

    async def change_password(self, old: str, new: str, proof: Proof) -> Made:
        """Change the asker's own password: all their other log-ins end, and this one gets another token.

        Raises Denied ``password-wrong``, and TooOften for whoever guesses at an open browser.
        """
        by = proof.asker
        require_person(by, "change passwords")
        user = await self._proven(old, by)
        if new == old:
            raise Invalid("password-same", "this is the present password", "choose another", "password")
        check_password(new, by.name)
        hashed = await self._doors.passwords.hash(new)

        def job(db: sqlite3.Connection, tell: Tell) -> Made:
            log_in = log_ins.get(db, proof.log_in)
            if log_in is None:
                raise Denied("login-needed", "this log-in has ended", "log in again")
            accounts.set_password(db, by.name, hashed, keep=log_in.id)
            token = _another_token(db, log_in, self._clock())
            self._told(db, tell, by, "password", user, None, None)
            return Made(log_in.id, user, token, log_in.expires)

        made = await record(self._store, self._bus, job)
        self._doors.access.changed()
        return made

    async def _proven(self, password: str, by: Asker) -> User:
        wait = self._limits.begin(by.name, by.address, self._clock())
        if wait > 0:
            raise TooOften(wait)
        user = await self._store.read(lambda db: accounts.existing(db, by.name))
        if not await self._doors.passwords.matches(user.password, password):
            raise Denied("password-wrong", "this is not your present password", "type it as you log in", "old")
        self._limits.succeeded(by.name, by.address)
        return user

    async def log_ins_of(self, user: str) -> list[LogIn]:
        """The log-ins of a user that go on."""
        now = self._clock()
        return await self._store.read(lambda db: log_ins.of_user(db, user, now))

    async def end_log_in(self, key: str, by: Asker) -> LogIn:
        """End a log-in: one's own, an administrator anybody's. Raises NotFound or Denied."""
        require_person(by, "end log-ins")

        def job(db: sqlite3.Connection, _: Tell) -> LogIn:
            found = log_ins.get(db, key)
            if found is None:
                raise NotFound("session-unknown", f"there is no log-in {key[:80]!r}", "it may have ended already")
            if found.user != by.name and by.role is not Role.ADMIN:
                raise Denied("log-in-foreign", "this is another user's log-in", "ask an administrator")
            log_ins.end(db, found.id)
            audit.note(db, by, "session.end", ("session", found.id, found.user), _shown(found), now=self._clock())
            return found

        ended = await record(self._store, self._bus, job)
        self._doors.access.changed()
        return ended

    def _told(
        self,
        db: sqlite3.Connection,
        tell: Tell,
        by: Asker,
        act: str,
        user: User,
        before: dict[str, object] | None,
        after: dict[str, object] | None,
    ) -> None:
        audit.note(db, by, f"user.{act}", ("user", user.name, user.name), before, after, now=self._clock())
        text = {"create": "made", "change": "changed", "delete": "deleted"}.get(act, "changed the password of")
        tell(Event("user.changed", self._clock(), f"{by} {text} user {user.name}"))


USERS = web.AppKey("users", Users)
"""``request.app[USERS]``."""


def _keep_an_admin(db: sqlite3.Connection, before: User) -> None:
    """After a change: raise Conflict where nobody is left who can manage users."""
    every = accounts.users(db)
    if before.role == Role.ADMIN and not any(each.role == Role.ADMIN and not each.disabled for each in every):
        message = f"{before.name} is the last administrator who can log in"
        raise Conflict("last-admin", message, "make somebody else an administrator first")


def _another_token(db: sqlite3.Connection, log_in: LogIn, now: float) -> str:
    """The log-in goes on under another token; those of before are worthless at once."""
    token = new_token()
    log_ins.forget_tokens(db, log_in.id)
    log_ins.add_token(db, LogInToken(hash_token(token), log_in.id, now))
    return token


def _told(user: User) -> dict[str, object]:
    return {"role": str(user.role), "disabled": user.disabled}


def _shown(log_in: LogIn) -> dict[str, object]:
    return {"user": log_in.user, "address": log_in.address, "program": log_in.program, "created": log_in.created}
