"""The way in over a new network: a browser that comes by a one-time link is who asked for the change, and confirms it.

Its cookie is of the old address, and sixty seconds are short for a log-in.
"""

import secrets
import sqlite3
from collections.abc import Callable

from aiohttp import web

from appliance.errors import Denied, NotFound
from appliance.events import Bus
from appliance.reconcile.record import Tell, record
from appliance.setup import stored
from appliance.setup.first_start import FirstStart
from appliance.store import accounts
from appliance.store.store import Store
from appliance.web.auth import Made, open_session
from appliance.web.keys import SERVICES

GOOD_FOR = 600.0
"""Seconds; the network is taken back long before."""


class Arrival:
    """Makes the link, and lets in who comes by it."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], first: FirstStart) -> None:
        self._store, self._bus, self._clock, self._first = store, bus, clock, first

    async def token(self) -> str:
        """For the link; an earlier one is worthless from here on."""
        token, expires = secrets.token_hex(32), self._clock() + GOOD_FOR
        await self._store.write(lambda db: stored.put_arrival(db, token, expires))
        return token

    async def check(self, token: str) -> None:
        """Raise Denied ``arrival-unknown`` for a token that is not the present one."""
        await self._store.read(lambda db: _check(db, token, self._clock()))

    async def arrive(self, token: str, address: str, program: str) -> Made:
        """Confirm the network, and log in who began the set-up; raises Denied, or Conflict where it is too late."""
        await self.check(token)
        name = (await self._first.steps.progress()).name
        await self._first.conduct.confirm()

        def job(db: sqlite3.Connection, tell: Tell) -> Made:
            return open_session(db, tell, accounts.existing(db, name), address, self._clock(), program)

        return await record(self._store, self._bus, job)


def _check(db: sqlite3.Connection, token: str, now: float) -> None:
    if not stored.is_arrival(db, token, now):
        hint = "log in, and look at the set-up: the network may have been taken back meanwhile"
        raise Denied("arrival-unknown", "this link is not the present one", hint)


ARRIVAL = web.AppKey("arrival", Arrival)
"""``request.app[ARRIVAL]``; not there on a computer that has no set-up in steps."""


def first_start(request: web.Request) -> FirstStart:
    """The set-up; raises NotFound ``setup-without-steps`` where this computer has none, or has it behind it."""
    found = request.app[SERVICES].first_start
    if found is None:
        hint = "only a flashed appliance is set up in steps, once; all of it can be changed under Network and Settings"
        raise NotFound("setup-without-steps", "this appliance has no set-up to go through", hint)
    return found


async def unfinished(request: web.Request) -> bool:
    """Whether set-up is still to be gone through."""
    found = request.app[SERVICES].first_start
    return found is not None and (await found.steps.progress()).phase != "done"
