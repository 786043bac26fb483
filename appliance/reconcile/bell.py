"""Wakes whoever waits for something to happen to one machine. Costs nothing for machines that nobody waits for."""

import asyncio
from collections.abc import Awaitable, Callable

from appliance.events import Bus, Event, Published
from appliance.machine import MachineId

TOGETHER_SECONDS = 0.25
"""Waits end at multiples of this, the long ones: waking up for each of ten thousand took longer than answering it."""


class Bell:
    """Level-triggered waiting: the condition is asked again after each ring."""

    def __init__(self) -> None:
        self._waiting: dict[MachineId, set[asyncio.Event]] = {}
        self._last: dict[MachineId, int] = {}
        self.rung = 0
        """How often it has rung, for all machines together."""

    def has_rung_since(self, machine: MachineId, rung: int) -> bool:
        """Whether it rang for this machine after it had ``rung`` so often; else what was true of it is true still."""
        return self._last.get(machine, 0) > rung

    def ring(self, machine: MachineId) -> None:
        """Something about this machine changed."""
        self.rung += 1
        self._last[machine] = self.rung
        for event in self._waiting.get(machine, ()):
            event.set()

    async def listen(self, bus: Bus) -> None:
        """Ring for every event of a machine, whoever tells it; until cancelled."""
        with bus.listen(self._told):
            await asyncio.Event().wait()

    def _told(self, item: Published) -> None:
        if isinstance(item, Event) and item.machine is not None:
            self.ring(item.machine)

    async def wait(self, machine: MachineId, condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
        """Wait until ``condition`` holds, at most ``seconds``; whether it held."""
        event = asyncio.Event()
        self._waiting.setdefault(machine, set()).add(event)
        try:
            async with asyncio.timeout_at(end_of_wait(asyncio.get_running_loop().time(), seconds)):
                while not await condition():
                    await event.wait()
                    event.clear()
            return True
        except TimeoutError:
            return False
        finally:
            self._leave(machine, event)

    def _leave(self, machine: MachineId, event: asyncio.Event) -> None:
        waiting = self._waiting.get(machine, set())
        waiting.discard(event)
        if not waiting:
            self._waiting.pop(machine, None)


def end_of_wait(now: float, seconds: float) -> float:
    """When a wait of at most so many seconds ends: together with others where that makes it hardly shorter."""
    end = now + seconds
    return end if seconds < 40 * TOGETHER_SECONDS else end // TOGETHER_SECONDS * TOGETHER_SECONDS
