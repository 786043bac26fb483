"""The wait of idle machines for work. Ten thousand of them ask 200 times a second, and nearly always there is none."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from appliance.errors import NotFound
from appliance.reconcile.bell import Bell
from appliance.reconcile.presence import Presence
from appliance.store import attempts, tokens
from appliance.store.store import Store
from appliance.store.tokens import MachineSession
from appliance.workflow import Actor

POLL_SECONDS = 50.0
"""How long a poll is held; below the minute at which proxies and NAT forget a connection."""
TRUSTED_SECONDS = 600.0
"""How long a look at the store is believed while the machine's bell does not ring."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What the store held for a poll id: no work."""

    session: MachineSession
    rung: int
    """How often the bell had rung before the look; what changed of the machine since has rung."""
    at: float


class Polls:
    """Remembers of each poll id that there was nothing to do, until the machine's bell rings."""

    def __init__(self, store: Store, bell: Bell, clock: Callable[[], float], presence: Presence) -> None:
        self._store, self._bell, self._clock, self._presence = store, bell, clock, presence
        self._looks: dict[str, _Look] = {}
        self._swept = clock()

    async def wait(self, poll: str) -> bool:
        """Wait for work, at most POLL_SECONDS; raises NotFound once the session has ended."""
        known = self._looks.get(poll)
        session, is_due = (known.session, False) if known is not None else await self._look(poll)
        if session.proven:
            self._presence.heard(session.machine)

        async def due() -> bool:
            return not self._is_quiet(poll) and (await self._look(poll))[1]

        return is_due or await self._bell.wait(session.machine, due, POLL_SECONDS)

    def _is_quiet(self, poll: str) -> bool:
        """Whether the last look still holds."""
        look = self._looks.get(poll)
        if look is None or self._clock() - look.at > TRUSTED_SECONDS:
            return False
        return not self._bell.has_rung_since(look.session.machine, look.rung)

    async def _look(self, poll: str) -> tuple[MachineSession, bool]:
        """The session of a poll id, and whether there is work for it; raises NotFound."""
        rung, now = self._bell.rung, self._clock()
        self._sweep(now)
        session, is_due = await self._store.read(lambda db: _look_up(db, poll))
        if is_due:
            self._looks.pop(poll, None)
        else:
            self._looks[poll] = _Look(session, rung, now)
        return session, is_due

    def _sweep(self, now: float) -> None:
        """Forget the looks that are believed no longer: their machines boot anew, under another poll id."""
        if now - self._swept > TRUSTED_SECONDS:
            self._swept = now
            self._looks = {poll: look for poll, look in self._looks.items() if now - look.at <= TRUSTED_SECONDS}


def _look_up(db: sqlite3.Connection, poll: str) -> tuple[MachineSession, bool]:
    """The session of a poll id, and whether there is work for it; raises NotFound."""
    session = tokens.session_by_poll(db, poll)
    if session is None:
        raise NotFound("session-unknown", "this poll has ended", "restart the machine")
    return session, has_work(db, session)


def has_work(db: sqlite3.Connection, session: MachineSession) -> bool:
    """Whether the agent of this session has a step to do; there is none for a boot that was not proven."""
    attempt = attempts.live_of(db, session.machine) if session.proven else None
    return attempt is not None and attempt.step is not None and attempt.step.actor is Actor.AGENT
