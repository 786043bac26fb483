"""Carries out an order to a power switch: stored before each command, gone on with after a restart, never blind."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace

from appliance.errors import ApplianceError
from appliance.events import Bus, Event
from appliance.power_order import (
    BY_ITSELF,
    LOOK_SECONDS,
    STAGE_SECONDS,
    STAGES,
    Next,
    OrderId,
    PowerAction,
    PowerOrder,
    Stage,
    came_on_by_itself,
    failed,
    given_up,
    left_off,
    may_start_plainly,
    next_of,
    once_more,
    passed,
    resumed,
    sent,
    taken,
)
from appliance.power_switch import PowerError, PowerState
from appliance.reconcile.fencing import let_go
from appliance.reconcile.power_schedule import HOPELESS
from appliance.reconcile.record import Tell, record
from appliance.reconcile.switchboard import Line, Switchboard
from appliance.store import attempts, machines, power
from appliance.store.store import Store
from appliance.workflow import Attempt, Status, seen

Say = Callable[[str], Awaitable[None]]
"""Told of each thing that is done, for a log."""
Check = Callable[[PowerOrder], Awaitable[None]]
"""Raises where nobody wants the order any more."""

CONFIRM_SECONDS = 1.0
"""Between the two looks that say that a machine is off."""
TROUBLE_SECONDS = 10.0
"""Between two tries of a switch that does not answer."""
REFUSED_SECONDS = 60.0
"""The same of one that refuses: it is tried again only to give power back, since that may lock an account."""
_USELESS = HOPELESS | {"power-unsupported"}
"""Codes of what is not worth trying again."""
_COMMAND = {Stage.OFF: PowerState.OFF, Stage.ON: PowerState.ON}
_DONE = {
    Stage.LOOK: "its switch says that it is {}",
    Stage.OFF: "it is seen to be off",
    Stage.ON: "it is seen to be on",
}


class PowerOrders:
    """Does orders, one after the other or side by side."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Callable[[], float],
        board: Switchboard,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``pause`` waits between two looks at a machine; tests move their clock in it."""
        self._store, self._bus, self._clock, self._board, self._pause = store, bus, clock, board, pause

    async def carry_out(self, number: OrderId, say: Say, check: Check) -> PowerOrder | None:
        """The order as it has ended; None where it is gone with its machine. Raises what ``check`` raises."""
        order = await self._find(number)
        if order is None or order.stage is None:
            return order
        if order.sent:
            order = await self._kept(resumed(order, self._clock()))
        try:
            async with self._board.line(order.machine) as line:
                return await self._follow(order, line, say, check)
        except ApplianceError as error:
            if error.code == "store-failed":
                raise  # nothing is known of it: it is found again, and gone on with
            present = await self._find(number) or order
            await self.end(failed(present, error.code, left_off(present, error.message), self._clock()))
            return await self._find(number)

    async def _follow(self, order: PowerOrder, line: Line, say: Say, check: Check) -> PowerOrder | None:
        """Look, decide, act, until it has ended."""
        trouble, began = "", self._clock()
        present: PowerOrder | None = order
        while present is not None and present.stage is not None:
            order, pause = present, LOOK_SECONDS
            await check(order)
            try:
                await self._turn(order, line, say)
                trouble = ""
            except PowerError as error:
                if error.code != trouble:
                    await say(error.message)
                trouble, pause = error.code, REFUSED_SECONDS if error.code in _USELESS else TROUBLE_SECONDS
                await self._troubled(order.id, error, began)
            present = await self._find(order.id)
            if present is not None and present.stage is order.stage:
                await self._pause(pause)
        return present

    async def _turn(self, order: PowerOrder, line: Line, say: Say) -> None:
        """One look, and what comes of it; raises PowerError."""
        state = await self._board.observe(line) if line.observes else PowerState.UNKNOWN
        now, stage = self._clock(), order.stage
        assert stage is not None, "it goes on"
        match next_of(order, state, line.observes, now):
            case Next.SEND:
                await self._send(order, stage, line, say)
            case Next.PASS:
                if stage is Stage.OFF and not await self._stays_off(line):
                    return
                await self._pass(order, stage, state, line, say)
            case Next.AGAIN:
                await say(f"{BY_ITSELF}: once more")
                await self._kept(once_more(order, now))
            case Next.FAIL:
                await self.end(given_up(order, state, now))

    async def _stays_off(self, line: Line) -> bool:
        """A controller in the middle of a cycle says off, and switches on again: it has to say so twice."""
        await self._pause(CONFIRM_SECONDS)
        return await self._board.observe(line) is PowerState.OFF

    async def _send(self, order: PowerOrder, stage: Stage, line: Line, say: Say) -> None:
        """Stored first: who comes after a crash looks before anything is sent again."""
        if stage is Stage.OFF and not order.sent and Stage.ON in STAGES[order.action]:
            await self._board.check_start(line, order.action is PowerAction.NETWORK_ONCE)
        after = await self._kept(sent(order, self._clock()))
        if stage is Stage.ON and order.network and line.arms:
            after = await self._from_network(after, line, say)
        else:
            await say(f"switching it {_COMMAND[stage]}{'' if after.sent == 1 else ', once more'}")
            await self._board.order(line, _COMMAND[stage])
        await self._kept(taken(after))

    async def _from_network(self, order: PowerOrder, line: Line, say: Say) -> PowerOrder:
        """Arm, and start; where that cannot be armed start all the same, sooner or later."""

        async def plainly(error: PowerError) -> bool:
            plain = may_start_plainly(order, error.code not in _USELESS, self._clock())
            return (await self._kept(replace(order, unlike=error.message, plain=plain))).plain

        await say("switching it on, into the network")
        if (error := await self._board.start_from_network(line, plainly)) is None:
            return order
        await say(f"its start is as its firmware has it: {error.message}")
        return replace(order, unlike=error.message, plain=True)

    async def _pass(self, order: PowerOrder, stage: Stage, state: PowerState, line: Line, say: Say) -> None:
        if came_on_by_itself(order, state):
            order = replace(order, unlike=BY_ITSELF)
            await say(BY_ITSELF)
        await say(_DONE[stage].format(state) if line.observes else "its switch took the command")
        after = passed(order, self._clock())
        if after.ended is None:
            await self._kept(after)
        else:
            await self.end(after)

    async def _troubled(self, number: OrderId, error: PowerError, began: float) -> None:
        """End it where trying again is of no use, or was for too long since we ``began``: it may have had to wait.

        Power that was taken away is given back all the same: the switch that refuses now has obeyed a moment ago.
        """
        order, now = await self._find(number), self._clock()
        if order is None:
            return
        late = now - max(order.stage_started, began) >= STAGE_SECONDS
        if late or (error.code in _USELESS and not (order.away and order.stage is Stage.ON)):
            await self.end(failed(order, error.code, left_off(order, error.message), now))

    async def _kept(self, order: PowerOrder) -> PowerOrder:
        """The order, once it is on disk."""
        await self._store.write(lambda db: power.put_order(db, order))
        return order

    async def _find(self, number: OrderId) -> PowerOrder | None:
        return await self._store.read(lambda db: power.order(db, number))

    async def end(self, order: PowerOrder) -> None:
        """Store and tell that it has ended."""

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            end_order(db, tell, order, self._clock())

        await record(self._store, self._bus, job)


def end_order(db: sqlite3.Connection, tell: Tell, order: PowerOrder, now: float) -> None:
    """Store an order that has ended, with what follows from it.

    One that helped an attempt starts the clock of its step anew; one that fenced a broken machine frees what was on it.
    """
    machine = machines.find(db, order.machine)
    if machine is not None and order.releases is not None and not order.code:
        order = let_go(db, tell, order, order.releases, machine, now)
    power.put_order(db, order)
    if machine is None:
        return
    attempt = attempts.find(db, order.attempt) if order.attempt else None
    if order.action is not PowerAction.TEST:
        why = order.reason or _why(order, attempt)
        detail = {"order": order.id, "action": order.action, "code": order.code}
        of = attempt.deployment if attempt else None
        tell(Event("machine.power", now, _said(order, machine.name), why, machine.id, of, detail))
    if attempt is not None and not order.code:
        power.put_wanted(db, machine.id, PowerState.ON, now)
        if attempt.status is Status.LIVE:
            attempts.put(db, seen(attempt, now))


_WORDS = {
    PowerAction.ON: "on",
    PowerAction.OFF: "off",
    PowerAction.CYCLE: "off and on again",
    PowerAction.NETWORK_ONCE: "off and on again, into the network",
    PowerAction.TEST: "",
}


def _said(order: PowerOrder, machine: str) -> str:
    if order.code == "power-not-from-network":
        return f"{machine} was switched {_WORDS[PowerAction.CYCLE]}, but not into the network"
    done = "could not be" if order.code else "was"
    return f"{machine} {done} switched {_WORDS[order.action]}"


def _why(order: PowerOrder, attempt: Attempt | None) -> str:
    return "; ".join(filter(None, (_whose(order, attempt), order.unlike)))


def _whose(order: PowerOrder, attempt: Attempt | None) -> str:
    if order.by:
        return f"{order.by} asked for it"
    what = attempt.kind if attempt else "an attempt"
    found = "off" if order.action is PowerAction.ON else "silent"
    return f"the {what} needs it, and it was {found}"
