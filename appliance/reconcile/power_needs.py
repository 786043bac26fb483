"""What attempts that go on need of power switches, read in one snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass

import aiosqlite

from appliance.machine import Machine, MachineId
from appliance.power_known import Switch
from appliance.power_order import PowerOrder
from appliance.power_switch import PowerState, abilities
from appliance.reconcile.remedy import Power, Remedy, remedy
from appliance.store import attempts, machines, power
from appliance.store.machine_list import OFFLINE_AFTER
from appliance.workflow import Attempt


@dataclass(frozen=True, slots=True)
class Need:
    """What the switch of a machine is to do for its attempt."""

    attempt: Attempt
    remedy: Remedy


def power_of(switch: Switch) -> Power:
    """What is known of a switch, as ``remedy`` takes it. Pure."""
    held = switch.wanted_at if switch.wanted is PowerState.OFF else 0.0
    return Power(abilities(switch.settings.kind), switch.seen.state, held)


def remedy_for(
    attempt: Attempt | None, machine: Machine, switch: Switch | None, done: Sequence[PowerOrder], now: float
) -> Remedy | None:
    """What its switch can do for the attempt of a machine, and when; None: nothing, or it has no switch."""
    if switch is None or attempt is None:
        return None
    offline = machine.last_seen is None or now - machine.last_seen > OFFLINE_AFTER
    return remedy(attempt, power_of(switch), offline, done)


async def needs(db: aiosqlite.Connection, now: float) -> list[Need]:
    """Of all attempts that go on."""
    live = await attempts.live(db)
    switches = await power.of_machines(db, [each.machine for each in live])
    found = []
    for attempt in live:
        if need := await _need(db, attempt, switches.get(attempt.machine), now):
            found.append(need)
    return found


async def need_of(db: aiosqlite.Connection, machine: MachineId, now: float) -> Need | None:
    """Of the attempt of one machine."""
    attempt = await attempts.live_of(db, machine)
    return await _need(db, attempt, await power.find(db, machine), now) if attempt else None


async def _need(db: aiosqlite.Connection, attempt: Attempt, switch: Switch | None, now: float) -> Need | None:
    machine = await machines.brief(db, attempt.machine) if switch else None
    if machine is None:
        return None
    found = remedy_for(attempt, machine, switch, await power.orders_of_attempt(db, attempt.id), now)
    return Need(attempt, found) if found else None
