"""Wakes whoever waits for something to happen to one machine. Costs nothing for machines that nobody waits for."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from appliance.events import Bus, Event, Published
from appliance.machine import MachineId


class Bell:
    """Level-triggered waiting: the condition is asked again after each ring."""

    def __init__(self) -> None:
        self._waiting: dict[MachineId, set[asyncio.Event]] = {}
        self._rings: Counter[MachineId] = Counter()

    def rings(self, machine: MachineId) -> int:
        """How often it has rung; where that is the same, what was true of the machine is true still."""
        return self._rings[machine]

    def ring(self, machine: MachineId) -> None:
        """Something about this machine changed."""
        self._rings[machine] += 1
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
            async with asyncio.timeout(seconds):
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
