"""Carries a set-up out: the network first, on trial; the rest once somebody has come over it.

Nothing but the network is changed before that, so that a wrong address costs a minute and no more. Every stage is
stored before it begins, and all of them can be repeated: a daemon that dies goes on where it was.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import replace

from appliance.accounts import Asker
from appliance.errors import ApplianceError, Conflict
from appliance.events import Bus, Event
from appliance.reconcile import audit
from appliance.reconcile.record import Tell, record
from appliance.setup import stored
from appliance.setup.appliance import Appliance
from appliance.setup.checks import check, form_complaint
from appliance.setup.configuration import CONSOLE_PORT, rules
from appliance.setup.draft import Phase, Progress, whole
from appliance.setup.hardware import check_disks, check_nics, lost
from appliance.setup.summary import summary
from appliance.setup.value import BY_DHCP, Account, SetUp
from appliance.store import subnet_rules
from appliance.store.store import Store

log = logging.getLogger(__name__)

ANSWER_SECONDS = 1.0
"""Between the wish and the change of the network: the answer to who asked travels over the old one."""
LATE_SECONDS = 3.0
"""After the end of a trial, until it is asked whether the network went back."""
TAKEN_BACK = "nobody came over the new network in time, so it was taken back; nothing else was changed"


class Conduct:
    """One set-up at a time. ``begin`` and ``confirm`` return at once; ``run`` does the work."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], appliance: Appliance) -> None:
        self._store, self._bus, self._clock, self._appliance = store, bus, clock, appliance
        self._wake = asyncio.Event()

    async def begin(self, by: Asker, here: str) -> Progress:
        """Carry out what was answered; ``here`` is the address of ours that the request came to.

        Raises Conflict: ``setup-unfinished``, ``setup-going-on``, ``disks-changed``.
        """
        set_up = await self._checked(by.name)

        def job(db: sqlite3.Connection, tell: Tell) -> Progress:
            if stored.progress(db).phase != "asking":
                raise Conflict("setup-going-on", "the set-up is being carried out already", "wait until it has ended")
            after = Progress("trying", by.name, target=_target(set_up, here), message="The new network is put on")
            stored.put_progress(db, after)
            audit.note(db, by, "setup.begin", ("appliance", "set-up", "set-up"), None, after, now=self._clock())
            return after

        begun = await record(self._store, self._bus, job)
        self._wake.set()
        return begun

    async def _checked(self, name: str) -> SetUp:
        """What was answered, against the computer as it is now."""
        draft = await self._store.read(stored.draft)
        set_up = whole(draft, Account(name))
        check(set_up, form_complaint)
        found = await self._appliance.found()
        check_nics(set_up, found.nics, form_complaint)
        check_disks(set_up.storage, found.disks, form_complaint)
        if not set(lost(set_up.storage, found.disks)) <= set(draft.agreed):
            hint = "look at the step storage again, and agree to what is lost there now"
            raise Conflict("disks-changed", "what is on the chosen disks has changed meanwhile", hint, "storage")
        return set_up

    async def confirm(self) -> Progress:
        """Somebody is here over the new network: it stays, and the rest follows.

        Raises Conflict ``setup-not-trying`` where no network waits for that (any more).
        """
        progress = await self._store.read(stored.progress)
        if progress.phase != "trying" or progress.until is None or await self._appliance.trial() is None:
            raise _nothing_to_keep()
        after = await self._move("trying", "finishing", "The network is kept; the rest is written")
        if after is None:
            raise _nothing_to_keep()
        self._wake.set()
        return after

    async def run(self) -> None:
        """Do what is to be done, until cancelled."""
        await self._begin_anew()
        while True:
            self._wake.clear()
            progress = await self._store.read(stored.progress)
            if progress.phase == "trying":
                await self._try(progress)
            elif progress.phase == "finishing":
                await self._finish(progress)
            else:
                await self._wake.wait()

    async def _begin_anew(self) -> None:
        """A state that says that all is done, on an appliance that is not set up, came from another one's backup."""
        if (await self._store.read(stored.progress)).phase == "done":
            await self._store.write(lambda db: stored.put_progress(db, Progress()))

    async def _try(self, progress: Progress) -> None:
        if progress.until is None:
            await self._put_on(progress)
            return
        await self._wait(progress.until + LATE_SECONDS - self._clock())
        if self._clock() < progress.until + LATE_SECONDS:
            return  # somebody confirmed meanwhile, or the clock was set
        try:
            still = await self._appliance.trial()
        except ApplianceError as error:
            log.warning("asking for the state of the network: %s", error.message)
            still = None
        if still is None:
            await self._back("trying", TAKEN_BACK)
        else:
            await self._move("trying", "trying", progress.message, until=still.until)

    async def _put_on(self, progress: Progress) -> None:
        await self._wait(ANSWER_SECONDS)
        try:
            trial = await self._appliance.try_network(await self._checked(progress.name))
        except ApplianceError as error:
            await self._back("trying", _said(error))
            return
        if trial is None:
            await self._move("trying", "finishing", "The network stays as it is; the rest is written")
        else:
            await self._move("trying", "trying", "The new network is on", until=trial.until)

    async def _finish(self, progress: Progress) -> None:
        draft = await self._store.read(stored.draft)
        try:
            set_up = whole(draft, Account(progress.name))
            await self._keep_network(set_up)
            await self._choose_rules(set_up)
            await self._appliance.write(set_up)
            await self._done(set_up)
            await self._appliance.restart()
        except ApplianceError as error:
            log.warning("set-up: %s", error.message)
            await self._back("finishing", _said(error))

    async def _keep_network(self, set_up: SetUp) -> None:
        """To keep it may restart the daemon: then this is done again, and finds it kept.

        Where it went back in the moment after it was confirmed, it is put on once more: somebody came over it.
        """
        if await self._appliance.trial() is not None or await self._appliance.try_network(set_up) is not None:
            await self._appliance.keep_network()

    async def _choose_rules(self, set_up: SetUp) -> None:
        """How subnets are served, before the configuration names them.

        A daemon that dies and starts with it must not give addresses where it was told not to.
        """

        def job(db: sqlite3.Connection) -> None:
            for interface, chosen in rules(set_up).items():
                subnet_rules.choose(db, interface, chosen)

        await self._store.write(job)

    async def _done(self, set_up: SetUp) -> None:
        """There is nothing more to ask."""
        now = self._clock()

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            before = stored.progress(db)
            stored.put_progress(db, replace(before, phase="done", message="The appliance is set up", failed=False))
            tell(Event("setup.done", now, f"{set_up.account.name} set the appliance up: {summary(set_up)}"))

        await record(self._store, self._bus, job)

    async def _move(self, before: Phase, after: Phase, message: str, until: float | None = None) -> Progress | None:
        """Go on to another phase; None, and nothing changed, where the one before is not there any more."""

        def job(db: sqlite3.Connection) -> Progress | None:
            found = stored.progress(db)
            if found.phase != before:
                return None
            moved = replace(found, phase=after, message=message, until=until, failed=False)
            stored.put_progress(db, moved)
            return moved

        return await self._store.write(job)

    async def _back(self, before: Phase, why: str) -> None:
        """Ask again, with the reason; all answers are kept."""
        now = self._clock()

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            if stored.progress(db).phase == before:
                stored.put_progress(db, Progress(message=why, failed=True))
                tell(Event("setup.failed", now, "the appliance was not set up", why))

        await record(self._store, self._bus, job)

    async def _wait(self, seconds: float) -> None:
        """Until something is asked, or so long."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._wake.wait()
        except TimeoutError:
            return


def _nothing_to_keep() -> Conflict:
    hint = "look at the set-up again: the network was taken back, or it goes on already"
    return Conflict("setup-not-trying", "no new network waits to be kept", hint)


def _said(error: ApplianceError) -> str:
    return f"{error.message}{f': {error.hint}' if error.hint else ''}"


def _target(set_up: SetUp, here: str) -> str:
    """Where the console is afterwards; empty where that is where it is now, or where only the screen will know it."""
    address = set_up.management.address.partition("/")[0]
    return "" if address in (BY_DHCP, here) else f"{address}:{CONSOLE_PORT}"
