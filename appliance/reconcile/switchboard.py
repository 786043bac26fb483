"""All power switches: opened when they are needed, one call at a time to each, a few at once to all.

What looks at switches, what switches, and what switches by those that did not answer the last time have places of
their own: dead switches wait for each other, and hold up none that answers.
"""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import IPv4Address, IPv4Interface
from typing import TypeVar

from appliance.errors import Conflict
from appliance.events import Bus, Event
from appliance.machine import Machine, MachineId
from appliance.power.build import driver as built
from appliance.power.driver import PowerDriver, Target
from appliance.power_known import Seen, Switch
from appliance.power_switch import Ability, PowerError, PowerSettings, PowerState, abilities
from appliance.reconcile import power_schedule as schedule
from appliance.reconcile.record import Tell, record
from appliance.store import machines, power
from appliance.store.sealing import Sealer
from appliance.store.store import Store

log = logging.getLogger(__name__)

MOST = 16
"""Switches that are told something at the same time."""
MOST_SILENT = 8
"""The same of those that did not answer the last time; besides."""
MOST_LOOKS = 8
"""Switches that are only looked at, at the same time; besides."""
CALL_SECONDS = 75.0
"""How long one call may take. Drivers end within a minute; this is for those that do not."""

Drivers = Callable[[PowerSettings, str, Target], PowerDriver]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Line:
    """The switch of one machine, held by one caller."""

    machine: Machine
    switch: Switch
    driver: PowerDriver
    looking: bool = False
    """Whether they only look."""

    @property
    def observes(self) -> bool:
        """Whether it can say if the machine is on."""
        return Ability.OBSERVE in abilities(self.switch.settings.kind)

    @property
    def arms(self) -> bool:
        """Whether it can be told that a start is to be from the network."""
        return Ability.NETWORK_ONCE in abilities(self.switch.settings.kind)


@dataclass(slots=True)
class _Held:
    """Who speaks with a switch, and those who wait for it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    callers: int = 0
    silent: bool = False
    """Whether it did not answer the last time."""


class Switchboard:
    """Connects whoever wants something of a switch, and stores what switches say."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Callable[[], float],
        sealer: Sealer,
        interfaces: Mapping[str, IPv4Interface],
        drivers: Drivers = built,
    ) -> None:
        """``interfaces`` are our own on the networks of machines: where magic packets leave."""
        self._store, self._bus, self._clock = store, bus, clock
        self._sealer, self._interfaces, self._drivers = sealer, interfaces, drivers
        self._room, self._room_silent, self._room_looks = map(asyncio.Semaphore, (MOST, MOST_SILENT, MOST_LOOKS))
        self._held: dict[MachineId, _Held] = {}

    @asynccontextmanager
    async def line(self, machine: MachineId, looking: bool = False) -> AsyncIterator[Line]:
        """The switch of a machine, held for the length of the with-block: nobody else speaks with it meanwhile.

        ``looking``: nothing is ordered, and nobody waits for it.

        Raises Conflict ``power-none`` where there is none any more, ApplianceError ``secret-unreadable``.
        """
        held = self._held.setdefault(machine, _Held())
        held.callers += 1
        try:
            async with held.lock:
                line = replace(await self._opened(machine), looking=looking)
                held.silent = bool(line.switch.seen.failures)
                yield line
        finally:
            held.callers -= 1
            if not held.callers:  # a lock that is free may have somebody waiting for it still
                del self._held[machine]

    def is_held(self, machine: MachineId) -> bool:
        """Whether somebody speaks with the switch of this machine now."""
        return machine in self._held

    async def _opened(self, machine: MachineId) -> Line:
        def job(db: sqlite3.Connection) -> tuple[Machine | None, Switch | None, bytes]:
            return machines.find(db, machine), power.find(db, machine), power.secret(db, machine)

        found, switch, sealed = await self._store.read(job)
        if found is None or switch is None:
            raise Conflict("power-none", "this machine has no power switch (any more)", "set one up")
        secret = self._sealer.open(sealed, machine)
        address = IPv4Address(found.address) if found.address else None
        target = Target(found.name, found.macs, address, self._interfaces)
        return Line(found, switch, self._drivers(switch.settings, secret, target))

    async def observe(self, line: Line) -> PowerState:
        """What the switch says now; stored, and told where it is news. Raises PowerError, which is stored as well."""
        try:
            async with self._place(line):
                state = await self._call(line, line.driver.observe)
        except PowerError as error:
            await self.troubled(line.machine.id, error)
            raise
        await self._note(line.machine.id, lambda seen, now: schedule.answered(seen, state, now))
        return state

    async def troubled(self, machine: MachineId, error: PowerError) -> None:
        """Store why a switch could not be asked."""
        await self._note(machine, partial(_unanswered, error))

    async def order(self, line: Line, state: PowerState) -> None:
        """Have the switch bring the machine to ``state``; raises PowerError."""
        async with self._place(line):
            await self._call(line, line.driver.on if state is PowerState.ON else line.driver.off)

    async def check_start(self, line: Line, network: bool) -> None:
        """Raises PowerError where the machine could not be switched on again, or not from the ``network``."""
        async with self._place(line):
            await self._call(line, lambda: line.driver.check_start(network, _is_uefi(line)))

    async def start_from_network(
        self, line: Line, plainly: Callable[[PowerError], Awaitable[bool]]
    ) -> PowerError | None:
        """Have the machine start from the network, now; raises PowerError.

        One turn for both calls: what is armed is forgotten after a minute (IPMI 2.0, table 28-14, parameter 3), and
        the start after that is one from disk of which nobody knows. Where it cannot be armed, and ``plainly`` says yes
        to that, the machine is switched on all the same, and what kept it from the network is returned.
        """
        kept_from: PowerError | None = None
        async with self._place(line):
            try:
                await self._call(line, lambda: line.driver.boot_network_once(_is_uefi(line)))
            except PowerError as error:
                if not await plainly(error):
                    raise
                kept_from = error
            await self._call(line, line.driver.on)
        return kept_from

    @asynccontextmanager
    async def _place(self, line: Line) -> AsyncIterator[None]:
        """Wait for a place among those that are spoken with."""
        if line.looking:
            room = self._room_looks
        else:
            room = self._room_silent if self._held[line.machine.id].silent else self._room
        async with room:
            yield

    async def _call(self, line: Line, what: Callable[[], Awaitable[T]]) -> T:
        """One call of a driver, in time; raises PowerError. Whether the switch answers is remembered."""
        held = self._held[line.machine.id]
        try:
            answer = await _in_time(what)
        except PowerError as error:
            held.silent = error.code == "power-unreachable"
            raise
        held.silent = False
        return answer

    async def _note(self, machine: MachineId, change: Callable[[Seen, float], Seen]) -> None:
        """Store what became of what is known; most looks find all as it was, and write nothing."""
        before = await self._store.read(lambda db: power.find(db, machine))
        if before is None or not schedule.worth_storing(before.seen, change(before.seen, self._clock())):
            return

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            switch, found = power.find(db, machine), machines.find(db, machine)
            # Other settings mean another switch, of which this says nothing.
            if switch is None or found is None or switch.settings != before.settings:
                return
            now = self._clock()
            after = change(switch.seen, now)
            power.put_seen(db, machine, after)
            if news := schedule.told(found.name, switch.seen, after):
                tell(Event("machine.power", now, *news, machine, detail={"state": after.state}))

        await record(self._store, self._bus, job)


def _is_uefi(line: Line) -> bool:
    return line.machine.firmware == "uefi"


async def _in_time(what: Callable[[], Awaitable[T]]) -> T:
    """Raises PowerError, and nothing else, also for a defect of a driver."""
    try:
        async with asyncio.timeout(CALL_SECONDS):
            return await what()
    except PowerError:
        raise
    except TimeoutError as error:
        text = f"the power switch took longer than {CALL_SECONDS:.0f} seconds"
        raise PowerError("power-unreachable", text, "look at its controller") from error
    except Exception as error:
        log.error("a driver of power switches", exc_info=error)
        text = "a defect of the appliance kept the power switch from being asked"
        raise PowerError("power-failed", text, "the log of the appliance tells more") from error


def _unanswered(error: PowerError, seen: Seen, _: float) -> Seen:
    return schedule.unanswered(seen, error)
