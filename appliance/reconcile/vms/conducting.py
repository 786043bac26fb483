"""A shutdown is conducted: the agent is asked, the button pressed, and at the end, which was shown, the plug drawn."""

from collections.abc import Callable
from dataclasses import replace

from appliance.errors import ApplianceError, Conflict
from appliance.events import Bus, Event, Published
from appliance.hypervisor.shutting_down import ShuttingDown, after, look_again, next_order
from appliance.reconcile.vms.host_rooms import HostRooms
from appliance.reconcile.vms.looking import Looking
from appliance.reconcile.vms.making import Result, Told, result
from appliance.reconcile.vms.works import Works
from appliance.vm import Order, VmState
from appliance.vm_host import agent_silent
from appliance.vm_work import KnownHost, VmWork

LOOK_EVERY = 2.0
"""Seconds between two looks at most, where nothing wakes us before."""
SAYS = {
    None: "its system shuts down",
    Order.ASK_AGENT: "its agent was asked to shut its system down",
    Order.ASK_ACPI: "its power button was pressed",
    Order.OFF: "it was switched off",
}


class Conducting:
    """Level-triggered: what to tell it follows from its state, the time, and what it was told."""

    def __init__(self, rooms: HostRooms, looking: Looking, works: Works, bus: Bus) -> None:
        self._rooms, self._looking, self._works, self._bus = rooms, looking, works, bus

    async def shut_down(self, host: KnownHost, work: VmWork, told: Told) -> Result:
        """Until it is off; raises what its host raises, once its time is over. A host that is away is waited for."""
        with self._bus.subscribe(64) as subscription:
            while True:
                try:
                    work, state = await self._step(host, work)
                except ApplianceError as error:
                    if error.code != "host-unreachable" or self._rooms.clock() >= at_of(work).ends:
                        raise
                    state = VmState.UNKNOWN
                if state is VmState.OFF:
                    await self._works.done(work, None, None, _why(work, self._rooms.clock()))
                    return {**result(work), "forced": work.told is Order.OFF}
                await told(*self._progress(work))
                wait = min(LOOK_EVERY, look_again(self._rooms.clock(), at_of(work)) - self._rooms.clock())
                await subscription.woken(_about(work), max(wait, 0.05))

    def _progress(self, work: VmWork) -> tuple[float, str]:
        at, now = at_of(work), self._rooms.clock()
        left = max(0.0, at.ends - now)
        return min(
            1.0, (now - at.began) / max(at.patience, 1.0)
        ), f"{SAYS[work.told]}; switched off in {left:.0f} s otherwise"

    async def _step(self, host: KnownHost, work: VmWork) -> tuple[VmWork, VmState]:
        """One look, and at most one order; what was ordered is noted before the next look."""
        async with self._rooms.alone(work.vm):
            there = await self._looking.is_there(host, work.vm)
            if there is None:
                return work, VmState.OFF
            now, state = self._rooms.clock(), there.seen.state
            order = next_order(now, state, at_of(work))
            if order is None:
                return work, state
            silent = await self._told(host, work, order)
            at = after(now, order, at_of(work), silent)
            work = replace(work, told=at.told, told_at=at.told_at, agent=at.agent)
            await self._works.noted(work)
            return work, VmState.RUNNING if silent else state

    async def _told(self, host: KnownHost, work: VmWork, order: Order) -> bool:
        """Whether its agent was silent. An order that its state has outrun meanwhile is no mistake."""
        try:
            await self._rooms.driver(host).order(work.vm, order)
        except Conflict as error:
            if error.code not in (agent_silent("").code, "vm-state"):
                raise
            return error.code != "vm-state"
        return False


def at_of(work: VmWork) -> ShuttingDown:
    """How far it is."""
    return ShuttingDown(work.at, work.patience, work.agent, work.told, work.told_at)


def _about(work: VmWork) -> Callable[[Published], bool]:
    """What wakes whoever waits for this VM."""

    def matters(item: Published) -> bool:
        detail = item.detail if isinstance(item, Event) else {}
        return detail.get("vm") == work.vm or detail.get("task") == work.task

    return matters


def _why(work: VmWork, now: float) -> str:
    if work.told is not Order.OFF:
        return ""
    return "its time was over" if now >= at_of(work).ends else "it did not run, and could not be asked"
