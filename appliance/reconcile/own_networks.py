"""The appliance's own networks, for people and programs: shown, planned, tried, kept and taken back.

The privileged helper does all of it, and systemd takes back what nobody confirms: this only asks, and tells.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from appliance.accounts import Asker
from appliance.errors import ApplianceError, Conflict
from appliance.events import Bus, Event
from appliance.networking.check import check
from appliance.networking.edit import with_interface, without_interface
from appliance.networking.layout import Interface, Layout
from appliance.networking.plan import Plan, plan
from appliance.networking.reached import managed_by, sits_at_it
from appliance.networking.served import Served, ended_by
from appliance.privileged.client import Privileged, missing
from appliance.privileged.verbs.network import Admit, Apply, Confirm, NetworkStatus, Revert, Reverted, Status, Trial
from appliance.reconcile import audit
from appliance.reconcile.followed_layout import follow
from appliance.reconcile.record import Tell, announce, record
from appliance.store.store import Store

log = logging.getLogger(__name__)

ANSWER_SECONDS = 1.0
"""Between the wish and a change that cuts off who asked: the answer travels over the old network."""
LATE_SECONDS = 3.0
"""After the end of a trial, until it is asked what became of it."""
AGAIN_SECONDS = 30.0
"""Until it is tried once more to give a card its place."""
KIND = "appliance.network"


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is to show."""

    here: bool
    """Whether this computer is a flashed appliance."""
    status: NetworkStatus | None = None
    trouble: str = ""
    """Why the status is not known."""


@dataclass(frozen=True, slots=True)
class Change:
    """One layout to another, and what that means for who asks."""

    before: Layout
    after: Layout
    plan: Plan


class OwnNetworks:
    """Every method that changes something takes ``by``, who asked; raises ApplianceError.

    ``here`` is the address of ours that the request came to, ``peer`` that of who asks, where it is known.
    """

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Callable[[], float],
        privileged: Privileged,
        served: Sequence[Served] = (),
    ) -> None:
        """``served`` are the subnets that machines are served on."""
        self._store, self._bus, self._clock, self._privileged = store, bus, clock, privileged
        self._served = served
        self._asked: Apply | None = None
        self._confirmed: Layout | None = None
        self._waits = False
        """Whether there is a card that has no place yet."""
        self._wake = asyncio.Event()
        self.trial: Trial | None = None
        """What waits to be confirmed, as far as it is known here: every page says so."""
        self.changed: list[Callable[[], None]] = []
        """Who is told of each change that is confirmed, tried or taken back, once it is known here."""
        self._told: tuple[Layout, Trial | None] | None = None

    async def standing(self) -> Standing:
        """How the networks are, asked each time."""
        if not self._privileged.here:
            return Standing(here=False)
        try:
            return Standing(True, await self._status())
        except ApplianceError as error:
            return Standing(True, trouble=error.message)

    async def _status(self) -> NetworkStatus:
        if not self._privileged.here:
            raise missing()
        found = await self._privileged.call(Status())
        if self._confirmed != found.layout:  # somebody else may have confirmed it: the screen, or the timer
            self._confirmed = found.layout
            self._wake.set()
        if self.trial != found.trial and self._asked is None:
            self.trial = found.trial
            self._wake.set()
        if self._told != (found.layout, found.trial):
            self._told = found.layout, found.trial
            for tell in self.changed:
                tell()
        return found

    async def with_interface(self, wanted: Interface, here: str, peer: str = "") -> Change:
        """What it would mean to have an interface so; raises Invalid."""
        return await self._change(lambda layout: with_interface(layout, wanted), here, peer)

    async def without_interface(self, name: str, here: str, peer: str = "") -> Change:
        """What it would mean to take an interface away; raises Invalid, NotFound."""
        return await self._change(lambda layout: without_interface(layout, name), here, peer)

    async def with_layout(self, layout: Layout, here: str, peer: str = "") -> Change:
        """What it would mean to have all of them so; raises Invalid."""
        return await self._change(lambda _: layout, here, peer)

    async def with_nat(self, nat: bool, here: str, peer: str = "") -> Change:
        """What it would mean to translate addresses, or not to."""
        return await self._change(lambda layout: msgspec.structs.replace(layout, nat=nat), here, peer)

    async def interface(self, name: str) -> Interface | None:
        """The confirmed interface of this name."""
        return (await self._status()).layout.named(name)

    async def _change(self, edit: Callable[[Layout], Layout], here: str, peer: str) -> Change:
        status = await self._status()
        before, after = status.layout, edit(status.layout)
        check(after)
        live = {each.name: each.addresses for each in status.seen}
        ended = ended_by(self._served, before, after, live)
        return Change(before, after, plan(before, after, here, live, peer, ended))

    async def apply(self, change: Change, confirm: str | None, by: Asker) -> float:
        """Try it for a minute; Unix time at which it is taken back.

        A change that cuts off who asks is put on a moment later, so that they hear of it. Raises Conflict
        ``confirmation-needed``, ``network-trying``, ``network-same``.
        """
        _agreed(change.plan, confirm)
        if self._asked is not None or (await self._status()).trial is not None:
            hint = "confirm the last change or take it back first"
            raise Conflict("network-trying", "another change of the network waits to be confirmed", hint)
        await self._tell(by, "network.try", f"{by.name} tries another network", change.plan.lines, change)
        wanted = Apply(change.after, unserve=bool(change.plan.unserved))
        if not change.plan.lost:
            self.trial = await self._privileged.call(wanted)
            self._wake.set()
            return self.trial.until
        self._asked = wanted
        self._wake.set()
        return self._clock() + ANSWER_SECONDS + 60

    async def confirm(self, by: Asker, here: str = "") -> None:
        """Keep what is tried.

        Raises Conflict ``network-not-trying``, and ``network-elsewhere`` for a request that did not come over it: it
        would prove nothing. Who asks from the computer itself is taken at their word.
        """
        privileged = self._require()
        status = await self._status()
        _check_over(status, here)
        await privileged.call(Confirm())
        self.trial = None
        kept = (status.layout, status.trial.layout) if status.trial else ()
        await self._tell(by, "network.keep", f"{by.name} keeps the network that was tried", kept=kept)
        self._wake.set()  # a round that asked before would have had the store follow what was

    async def check_over(self, here: str) -> None:
        """Raise Conflict ``network-elsewhere`` where a network is tried and ``here`` is no address of its management.

        Nothing is raised where no network can be asked for: then none is tried either.
        """
        if self._privileged.here:
            _check_over(await self._status(), here)

    async def revert(self, by: Asker) -> None:
        """Take back what is tried; raises Conflict ``network-not-trying``."""
        await self._require().call(Revert())
        self.trial = None
        await self._tell(by, "network.take-back", f"{by.name} took a change of the network back")

    def _require(self) -> Privileged:
        if not self._privileged.here:
            raise missing()
        return self._privileged

    async def _tell(
        self, by: Asker, action: str, text: str, lines: tuple[str, ...] = (), change: Change | None = None,
        kept: Sequence[Layout] = (),
    ) -> None:  # fmt: skip
        now = self._clock()

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            for layout in kept:
                follow(db, layout)
            before, after = (_plain(change.before), _plain(change.after)) if change else (None, None)
            audit.note(db, by, action, ("appliance", "network", "network"), before, after, now=now)
            tell(Event(KIND, now, text, "; ".join(lines)))

        await record(self._store, self._bus, job)

    # -- what goes on by itself

    async def run(self) -> None:
        """Put on what was asked for, and tell what became of it, until cancelled."""
        while True:
            self._wake.clear()
            await self.step()
            await self._wait(self._pause())

    async def step(self) -> None:
        """One round; what cannot be asked now is asked later."""
        try:
            if self._asked is not None:
                await self._put_on(self._asked)
            if self._privileged.here:
                status = await self._status()
                await self._store.write(lambda db: follow(db, status.layout))
                if status.reverted is not None:
                    await self._tell_reverted(status.reverted)
                await self._admit(status)
        except ApplianceError as error:
            log.warning("the network of the appliance: %s", error.message)

    def look(self) -> None:
        """Have the networks looked at soon: there may be a card that was not there before."""
        self._wake.set()

    async def _admit(self, status: NetworkStatus) -> None:
        """Give cards a place that came since the start; while a change is tried they wait for its end."""
        known = {each.mac for each in status.layout.interfaces if each.kind == "nic"}
        self._waits = any(each.is_nic and each.mac not in known for each in status.seen)
        if not self._waits or status.trial is not None:
            return
        for nic in (await self._privileged.call(Admit())).nics:
            use = "it asks for an address, and the console is reached over it" if nic.roles else "it is for nothing yet"
            text = f"a network card was found: {nic.name} ({nic.mac})"
            log.info("%s; %s", text, use)
            await announce(self._store, self._bus, Event(KIND, self._clock(), text, use, detail={"nic": nic.name}))
        self._waits = False
        await self._status()

    def _pause(self) -> float | None:
        """Seconds until there is something to look at; None while nothing is tried, and no card waits."""
        if self.trial is None:
            return AGAIN_SECONDS if self._waits else None
        return max(self.trial.until + LATE_SECONDS - self._clock(), LATE_SECONDS)

    async def _put_on(self, wanted: Apply) -> None:
        try:
            await asyncio.sleep(ANSWER_SECONDS)
            self.trial = await self._privileged.call(wanted)
        except ApplianceError as error:
            await self._tell_failed(error)
            raise
        finally:
            self._asked = None

    async def _tell_failed(self, error: ApplianceError) -> None:
        """Who asked has gone to where the console was to be, or waits: the timeline says why it is not there."""
        event = Event(KIND, self._clock(), "a change of the network could not be put on", error.message)
        await record(self._store, self._bus, lambda _, tell: tell(event))

    async def _wait(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _tell_reverted(self, of: Reverted) -> None:
        """Once, whichever daemon hears of it first."""

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            known = db.execute("SELECT 1 FROM events WHERE kind = ? AND at = ?", (KIND, of.at)).fetchone()
            if known is None:
                tell(Event(KIND, of.at, "a change of the network was taken back", of.why))

        await record(self._store, self._bus, job)


def _agreed(of: Plan, confirm: str | None) -> None:
    if not of.lines:
        raise Conflict("network-same", "the network is like this already", "change something first")
    if of.confirm and confirm != of.confirm:
        said = "; ".join([*of.unserved, *([of.lost] if of.lost else [])])
        raise Conflict("confirmation-needed", said, f"confirm with {of.confirm!r}", "confirm")


def _check_over(status: NetworkStatus, here: str) -> None:
    if status.trial is None or sits_at_it(here):
        return
    known = managed_by(status.trial.layout, {each.name: each.addresses for each in status.seen})
    if here not in known:
        what = f"this came to {here}, where the console is not once the network that is tried is kept"
        where = f"open the console at {' or '.join(known)}" if known else "wait until management has an address"
        raise Conflict("network-elsewhere", what, f"{where} and confirm there, or confirm on the appliance's screen")


def _plain(of: Layout) -> dict[str, object]:
    """By interface, so that the log has only what differs."""
    return {"nat": of.nat, **{each.name: msgspec.to_builtins(each) for each in of.interfaces}}
