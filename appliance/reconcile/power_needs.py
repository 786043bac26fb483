"""What attempts that go on need of power switches, read in one snapshot."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

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


def needs(db: sqlite3.Connection, now: float, of: MachineId | None = None) -> list[Need]:
    """Of all attempts that go on, or of that of one machine; in four queries, however many they are."""
    live = [each for each in attempts.live(db) if of in (None, each.machine)]
    switches = power.of_machines(db, [each.machine for each in live])
    switched = [each for each in live if each.machine in switches]
    known = {each.id: each for each in machines.some(db, [each.machine for each in switched])}
    done = power.orders_of_attempts(db, [each.id for each in switched])
    found = []
    for attempt in switched:
        machine, orders = known[attempt.machine], done.get(attempt.id, [])
        if (what := remedy_for(attempt, machine, switches[attempt.machine], orders, now)) is not None:
            found.append(Need(attempt, what))
    return found
